"""The one report of wrong settings: each variable, where it came from, and what would be accepted."""

import os
from collections.abc import Mapping
from typing import Any

import pydantic_settings
from pydantic import AliasChoices, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from mysingle._kernel.settings.sources import Unreadable, files_from_environment, files_in, is_secret

__all__ = ["Origins", "report", "unreadable_env_file"]


def report(settings_cls: type[BaseSettings], error: ValidationError, values: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each wrong variable; a secret's value is never in it."""
    return [
        _problem(settings_cls, dict(item), values) for item in error.errors(include_url=False, include_context=False)
    ]


def unreadable_env_file(
    settings_cls: type[BaseSettings], error: OSError | UnicodeError, values: Mapping[str, Any]
) -> str:
    """Return one sentence about a `.env` file that cannot be read."""
    reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
    return f"{_env_file(settings_cls, values)} cannot be read: {reason}"


def _env_file(settings_cls: type[BaseSettings], values: Mapping[str, Any]) -> Any:
    return values.get("_env_file", settings_cls.model_config.get("env_file"))


def _problem(settings_cls: type[BaseSettings], item: dict[str, Any], values: Mapping[str, Any]) -> str:
    variable = str(item["loc"][0]) if item["loc"] else ""
    name = _field_name(settings_cls, variable)
    if isinstance(item["input"], Unreadable):
        return f"{name} (from {name}_FILE): {item['input'].message}"
    message = str(item["msg"]).removeprefix("Value error, ")
    if not item["loc"]:
        return message
    field = settings_cls.model_fields.get(name)
    is_plain = len(item["loc"]) == 1 and isinstance(item["input"], str | int | float)
    shown = repr(item["input"])[:80] if is_plain and field is not None and not is_secret(field) else "***"
    accepted = f" ({field.description})" if field is not None and field.description else ""
    return f"{name} = {shown} (from {_origin(settings_cls, name, values)}): {message}{accepted}"


def _field_name(settings_cls: type[BaseSettings], variable: str) -> str:
    for name, field in settings_cls.model_fields.items():
        if variable.upper() in _spellings(name, field):
            return name
    return variable


def _spellings(name: str, field: FieldInfo) -> tuple[str, ...]:
    aliases = field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else ()
    return (name.upper(), *(alias.upper() for alias in aliases if isinstance(alias, str)))


def _origin(settings_cls: type[BaseSettings], name: str, values: Mapping[str, Any]) -> str:
    """Say where a wrong value came from; what is in no other place stands in the directory of secrets."""
    found = Origins(settings_cls, values).of(name)
    return found or f"{getattr(settings_cls, 'secrets_directory', 'a secrets file')}"


class Origins:
    """Where values come from: the environment, files and arguments, read once."""

    def __init__(self, settings_cls: type[BaseSettings], values: Mapping[str, Any]) -> None:
        self._settings_cls = settings_cls
        env_file = _env_file(settings_cls, values)
        dotenv = pydantic_settings.DotEnvSettingsSource(settings_cls, env_file=env_file).env_vars
        directory = getattr(settings_cls, "secrets_directory", None)
        self._places = tuple(
            (place, frozenset(name.upper() for name in names))
            for place, names in (
                ("an argument", values),
                ("the environment", os.environ),
                ("<NAME>_FILE", files_from_environment(settings_cls)),
                (f"{env_file}", dotenv),
                (f"{directory}", files_in(directory) if directory is not None else ()),
            )
        )

    def of(self, name: str) -> str | None:
        """Say where a value came from, and under which spelling when that is not the field's own; None: nowhere."""
        field = self._settings_cls.model_fields.get(name)
        spellings = (name,) if field is None else _spellings(name, field)
        for place, names in self._places:
            for spelling in spellings:
                if spelling in names:
                    where = place.replace("<NAME>", name)
                    return where if spelling == name else f"{spelling} in {where}"
        return None
