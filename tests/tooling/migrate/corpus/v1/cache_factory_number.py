from mysingle.database import create_service_cache

ml = create_service_cache("ml", 12)
genai = create_service_cache(service_name="genai", db_constant=13, ttl=1800)
