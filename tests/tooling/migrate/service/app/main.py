from mysingle.core.app_factory import create_fastapi_app
from mysingle.core.middleware import LoggingMiddleware
from mysingle.core.service_types import ServiceType, create_service_config
from mysingle.logging import setup_logging_legacy

from app import cache
from app.models import Order
from app.routes import router

setup_logging_legacy("order-service")

config = create_service_config(
    service_name="order-service",
    service_type=ServiceType.NON_IAM_SERVICE,
)
app = create_fastapi_app(service_config=config, document_models=[Order])
app.add_middleware(LoggingMiddleware)
app.include_router(router)
app.state.caches = (cache.quotes, cache.users())
