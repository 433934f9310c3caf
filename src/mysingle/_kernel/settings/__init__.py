"""Typed settings from the environment: the only package that reads it, on first use and never at import."""

from mysingle._kernel.settings.common import CommonSettings, SettingsError, get_settings, reset_settings, set_settings
from mysingle._kernel.settings.groups import (
    AuthSettings,
    HttpSettings,
    MongoSettings,
    ProjectSettings,
    RedisAllocation,
    RedisSettings,
)

__all__ = [
    "AuthSettings",
    "CommonSettings",
    "HttpSettings",
    "MongoSettings",
    "ProjectSettings",
    "RedisAllocation",
    "RedisSettings",
    "SettingsError",
    "get_settings",
    "reset_settings",
    "set_settings",
]
