import os

from mysingle.core.config import settings


def mode() -> str:
    if settings.DEV_MODE:
        return "development"
    return f"{settings.AUTH_APP_VERSION} {os.getenv('OKTA_DOMAIN')}"


URL = settings.REDIS_URL
NUMBERS = (settings.REDIS_DB_STRATEGY_CACHE, settings.REDIS_DB_ML_MODEL)
