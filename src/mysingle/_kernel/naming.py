"""Names that follow from the name of a service."""

__all__ = ["database_name_of"]


def database_name_of(service_name: str) -> str:
    """Return the name of a service's database: `order-service` has `order_service_db`."""
    return f"{service_name.replace('-', '_')}_db"
