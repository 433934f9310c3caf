"""Typed settings from the environment: the only package that reads it, on first use and never at import."""

from mysingle._kernel.settings.auth import AuthSettings, IamSettings, MailSettings, OAuthSettings, TokenSettings
from mysingle._kernel.settings.common import CommonSettings, SettingsError, get_settings, reset_settings, set_settings
from mysingle._kernel.settings.dsl import DslSettings
from mysingle._kernel.settings.groups import (
    HttpSettings,
    MongoSettings,
    ProjectSettings,
    RedisAllocation,
    RedisSettings,
)
from mysingle._kernel.settings.grpc import GrpcSettings
from mysingle._kernel.settings.tasks import TaskSettings

__all__ = [
    "AuthSettings",
    "CommonSettings",
    "DslSettings",
    "GrpcSettings",
    "HttpSettings",
    "IamSettings",
    "MailSettings",
    "MongoSettings",
    "OAuthSettings",
    "ProjectSettings",
    "RedisAllocation",
    "RedisSettings",
    "SettingsError",
    "TaskSettings",
    "TokenSettings",
    "get_settings",
    "reset_settings",
    "set_settings",
]
