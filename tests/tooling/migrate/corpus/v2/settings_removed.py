import os

from mysingle.core.config import settings


def mode() -> str:
    if settings.is_development:
        return "development"
    return f"{settings.AUTH_APP_VERSION} {os.getenv('OKTA_DOMAIN')}"


URL = settings.REDIS_URL
NUMBERS = (settings.REDIS_DB_STRATEGY, settings.REDIS_DB_ML)
