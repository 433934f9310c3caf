"""From before the package was renamed."""

import mysingle.core.config as configuration
from mysingle import auth
from mysingle.auth import get_current_user
from mysingle.core.base import BaseDocument
from mysingle.core import create_fastapi_app, create_service_config
from mysingle.core.logging import get_logger

log = get_logger("quant")
SETTINGS = configuration.settings
WHO = (auth.get_user_id, get_current_user)


class Item(BaseDocument): ...
