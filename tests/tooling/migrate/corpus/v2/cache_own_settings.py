from mysingle.core.config import get_settings
from mysingle.database import create_service_cache

settings = get_settings()
bytecode = create_service_cache("dsl", settings.REDIS_DB_DSL, ttl=3600)
models = create_service_cache("ml", settings.REDIS_DB_ML, ttl=3600)
