"""Tests patch by name."""

import importlib
import logging
from unittest.mock import patch

DOCUMENT = "mysingle.base.models.BaseDocument.insert"


def test_it() -> None:
    with patch("mysingle.logging.setup_logging_legacy") as setup, patch('mysingle.auth.deps.get_current_user'):
        importlib.import_module("mysingle.base")
        logging.getLogger("mysingle.audit").info("mysingle.base is not a path here")
        setup()


test_it()
