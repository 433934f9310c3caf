from mysingle.core.config import settings
from mysingle.database import create_grpc_cache

responses = create_grpc_cache(service_name="corpus", ttl=60)
others = create_grpc_cache(service_name="corpus")
