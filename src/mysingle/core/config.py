"""Settings: `settings` (read on first use), `CommonSettings` to subclass, and what the environment means."""

from typing import cast

from mysingle._kernel.settings import CommonSettings, SettingsError, get_settings, reset_settings, set_settings

__all__ = [
    "CommonSettings",
    "SettingsError",
    "get_environment",
    "get_settings",
    "is_development",
    "is_production",
    "reset_settings",
    "set_settings",
    "settings",
]


class _LazySettings:
    """Stands in for the settings until somebody asks for a value; importing it reads nothing."""

    __slots__ = ()

    def __getattr__(self, name: str) -> object:
        return getattr(get_settings(), name)

    def __repr__(self) -> str:
        return repr(get_settings())

    def __dir__(self) -> list[str]:
        return dir(get_settings())


settings = cast("CommonSettings", _LazySettings())


def get_environment() -> str:
    """Return the environment's name in lower case; "development" when nobody set one."""
    return get_settings().environment


def is_production() -> bool:
    """Tell whether production rules apply; true also for a name that nobody knows."""
    return get_settings().is_production


def is_development() -> bool:
    """Tell whether this is a developer's machine; true also when ENVIRONMENT is not set."""
    return get_settings().is_development
