from mysingle.core import create_fastapi_app
from mysingle.core import ServiceType, create_service_config
from mysingle.database import BaseRedisCache
from mysingle.database import create_service_cache, create_user_cache
from mysingle.database import BaseDuckDBManager

config = create_service_config(service_name="corpus-service", service_type=ServiceType.NON_IAM_SERVICE)
app = create_fastapi_app(service_config=config)


class Cache(BaseRedisCache):
    def __init__(self):
        super().__init__(key_prefix="corpus", default_ttl=600)


class Bars(BaseDuckDBManager): ...
