"""The service: five lines, and its routes."""

from app.models import Strategy
from app.routes import router
from mysingle.core import ServiceType, create_fastapi_app, create_service_config

config = create_service_config(
    service_name="strategy-service",
    service_type=ServiceType.NON_IAM_SERVICE,
    description="Keeps the trading strategies of its users.",
    critical_checks=["mongodb"],
)
app = create_fastapi_app(service_config=config, document_models=[Strategy])
app.include_router(router)
