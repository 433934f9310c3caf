"""The way of a service from version 1 to version 2."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.tooling.migrate._findings import Finding
    from mysingle.tooling.migrate.migration import Change, Failure, Migration, MigrationError, plan

__all__ = ["Change", "Failure", "Finding", "Migration", "MigrationError", "plan"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Change": ".migration",
        "Failure": ".migration",
        "Finding": "._findings",
        "Migration": ".migration",
        "MigrationError": ".migration",
        "plan": ".migration",
    },
    extra="dev",
)
