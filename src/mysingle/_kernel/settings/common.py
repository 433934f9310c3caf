"""All settings of a service, read once, with one report of everything that is wrong."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, get_args

from pydantic import SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mysingle._kernel.errors import ErrorCode, MySingleError
from mysingle._kernel.settings.auth import AuthSettings, IamSettings, MailSettings, OAuthSettings, TokenSettings
from mysingle._kernel.settings.dsl import DslSettings
from mysingle._kernel.settings.groups import (
    HttpSettings,
    MongoSettings,
    ProjectSettings,
    RedisAllocation,
    RedisSettings,
    allocation_problems,
)
from mysingle._kernel.settings.grpc import GrpcSettings
from mysingle._kernel.settings.report import report, unreadable_env_file
from mysingle._kernel.settings.sources import FileSource, files_from_environment, files_in
from mysingle._kernel.settings.tasks import TaskSettings
from mysingle._kernel.shutdown import CLUSTER_DRAIN_SECONDS

__all__ = ["CommonSettings", "SettingsError", "get_settings", "reset_settings", "set_settings"]

SECRETS_DIRECTORY = Path("/run/secrets")


class CommonSettings(
    ProjectSettings,
    HttpSettings,
    MongoSettings,
    RedisSettings,
    AuthSettings,
    TokenSettings,
    IamSettings,
    OAuthSettings,
    MailSettings,
    DslSettings,
    GrpcSettings,
    TaskSettings,
):
    """
    All settings of a service; subclass it to add your own.

    Read, first one wins: arguments, environment, `<NAME>_FILE` (secrets), `.env`, `/run/secrets/<name>`, defaults.

    Raises:
        SettingsError: one report of every wrong variable, where it came from, and what would be accepted.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        enable_decoding=False,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        use_attribute_docstrings=False,
    )
    secrets_directory: ClassVar[Path] = SECRETS_DIRECTORY

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems = report(type(self), error, values)
            raise SettingsError([*problems, *_allocation_alone(values)]) from None
        except (OSError, UnicodeError) as error:  # our own sources report theirs; only the `.env` file is left
            raise SettingsError([unreadable_env_file(type(self), error, values)]) from None
        problems = allocation_problems(self)
        if problems:
            raise SettingsError(problems)

    @property
    def drain_delay_seconds(self) -> float:
        """How long a draining service goes on serving, unless its own configuration says otherwise."""
        if self.DRAIN_DELAY_SECONDS is not None:
            return self.DRAIN_DELAY_SECONDS
        is_cluster = self.KUBERNETES_SERVICE_HOST is not None or self.is_production
        return CLUSTER_DRAIN_SECONDS if is_cluster else 0.0

    @model_validator(mode="before")
    @classmethod
    def _decode(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Read JSON where a field is neither text nor number; what is no JSON stays, and validation names it."""
        return {name: _decoded(cls.model_fields.get(name), value) for name, value in values.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put `<NAME>_FILE` behind the environment and the secrets directory last."""
        named_files = FileSource(settings_cls, files_from_environment(settings_cls))
        directory = FileSource(settings_cls, files_in(cls.secrets_directory))
        return init_settings, env_settings, named_files, dotenv_settings, directory


def _decoded(field: FieldInfo | None, value: Any) -> Any:
    if field is None or not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{"):
        return value
    if not {str, SecretStr}.isdisjoint({field.annotation, *get_args(field.annotation)}):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _allocation_alone(values: Mapping[str, Any]) -> list[str]:
    """Judge the database numbers although another setting is wrong, so that one report says it all."""
    numbers = {name: value for name, value in values.items() if name.startswith("REDIS_DB_")}
    try:
        return allocation_problems(RedisAllocation(**numbers))
    except ValidationError:
        return []


class SettingsError(MySingleError, ValueError):
    """Settings that cannot be used; the message lists every problem."""

    default_code = ErrorCode.FAILED_PRECONDITION

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"Settings cannot be used, {count}:\n{lines}", reason="SETTINGS_INVALID")


_settings: CommonSettings | None = None


def get_settings() -> CommonSettings:
    """Return the process's settings, read once on first use."""
    global _settings
    if _settings is None:
        _settings = CommonSettings()
    return _settings


def set_settings(settings: CommonSettings) -> None:
    """Make a service's own settings the ones that every part of the package uses; call it before the app is built."""
    global _settings
    _settings = settings


def reset_settings() -> None:
    """Forget the settings, so that the next use reads the environment again; for tests."""
    global _settings
    _settings = None
