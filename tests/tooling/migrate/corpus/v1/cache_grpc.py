from mysingle.core.config import settings
from mysingle.database import GrpcCache

responses = GrpcCache(service_name="corpus", redis_db=settings.REDIS_DB_GRPC, ttl=60)
others = GrpcCache(redis_db=1)
