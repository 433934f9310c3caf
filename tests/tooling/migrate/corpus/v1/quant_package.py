"""From before the package was renamed."""

import mysingle_quant.core.config as configuration
from mysingle_quant import auth
from mysingle_quant.auth import get_current_user
from mysingle_quant.base import BaseDocument
from mysingle_quant.core import create_fastapi_app, create_service_config
from mysingle_quant.logging import get_logger

log = get_logger("quant")
SETTINGS = configuration.settings
WHO = (auth.get_user_id, get_current_user)


class Item(BaseDocument): ...
