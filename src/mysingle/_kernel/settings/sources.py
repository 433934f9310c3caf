"""Where settings come from beside the environment: one file for each secret."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

__all__ = ["FileSource", "Unreadable", "files_from_environment", "files_in", "is_secret"]

_MAX_BYTES = 1 << 20  # a path by mistake, such as a device or a log, must not be read without an end


class FileSource(PydanticBaseSettingsSource):
    """Values that stand in files, one file a variable; a trailing line break is not part of the value."""

    def __init__(self, settings_cls: type[BaseSettings], files: Mapping[str, Path]) -> None:
        super().__init__(settings_cls)
        self._files = files

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = self._files.get(field_name.lower())
        return (None if path is None else _read(path)), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(info, name)[0] for name, info in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value not in (None, "")}


class Unreadable:
    """Stands in for a value whose file could not be read, so that the one report can say so."""

    def __init__(self, path: Path, error: OSError | ValueError) -> None:
        self.message = f"cannot read {path}: {getattr(error, 'strerror', None) or error}"


def _read(path: Path) -> str | Unreadable:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES} bytes")
        return data.decode("utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        return Unreadable(path, error)


def files_from_environment(settings_cls: type[BaseSettings]) -> dict[str, Path]:
    """Return the files that `<NAME>_FILE` variables name, by lower-case setting; secrets only."""
    secrets = {name.lower() for name, field in settings_cls.model_fields.items() if is_secret(field)}
    named = ((name.lower().removesuffix("_file"), value) for name, value in os.environ.items() if value)
    return {name: Path(value) for name, value in named if name in secrets and f"{name}_file".upper() in os.environ}


def files_in(directory: Path) -> dict[str, Path]:
    """Return the files of a directory of secrets, by lower-case name; none when there is no such directory."""
    if not directory.is_dir():
        return {}
    return {path.name.lower(): path for path in sorted(directory.iterdir()) if path.is_file()}


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a field holds a secret: itself, as an optional, in a list, or inside of a model."""
    return _holds_secret(field.annotation)


def _holds_secret(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, SecretStr | SecretBytes | Secret):
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(is_secret(field) for field in annotation.model_fields.values())
    return any(_holds_secret(part) for part in get_args(annotation))
