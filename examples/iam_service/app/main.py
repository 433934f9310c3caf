"""The IAM service of the platform: accounts, sessions, tokens. Everything is in the package."""

from mysingle.core import ServiceType, create_fastapi_app, create_service_config

config = create_service_config(
    service_name="iam-service",
    service_type=ServiceType.IAM_SERVICE,
    description="Accounts, sessions and tokens.",
)
app = create_fastapi_app(service_config=config)
