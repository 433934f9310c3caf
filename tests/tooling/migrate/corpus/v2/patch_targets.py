"""Tests patch by name."""

import importlib
import logging
from unittest.mock import patch

DOCUMENT = "mysingle.core.base.BaseDocument.insert"


def test_it() -> None:
    with patch("mysingle.core.logging.setup_logging") as setup, patch('mysingle.auth.get_current_user'):
        importlib.import_module("mysingle.core.base")
        logging.getLogger("mysingle.audit").info("mysingle.base is not a path here")
        setup()


test_it()
