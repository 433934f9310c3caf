from mysingle.database import create_service_cache
from mysingle.core.config import settings

ml = create_service_cache("ml", settings.REDIS_DB_ML)
genai = create_service_cache(service_name="genai", db_constant=settings.REDIS_DB_GENAI, ttl=1800)
