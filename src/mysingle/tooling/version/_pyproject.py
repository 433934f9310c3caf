"""The version in `pyproject.toml`: read it, and write it without touching anything else in the file."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mysingle.tooling.version._semver import Version, parse_version
from mysingle.tooling.version.errors import VersionError

__all__ = ["Project", "read_project"]

_TABLES = ("project", "tool.poetry")
_VERSION_LINE = r"""(?m)^([ \t]*(?:version|"version")[ \t]*=[ \t]*)(["'])[^"'\n]*\2"""


class Project(NamedTuple):
    """A package: where its `pyproject.toml` is, its name and its version."""

    file: Path
    name: str
    version: Version
    text: str

    def text_with(self, version: Version) -> str:
        """
        Return the file with another version; comments, order and line endings stay.

        Raises:
            VersionError: the version is written in a way that cannot be replaced safely.
        """
        wanted = _with_version(tomllib.loads(_newlines(self.text)), str(version))
        for match in re.finditer(_VERSION_LINE, self.text):
            text = f"{self.text[: match.start()]}{match[1]}{match[2]}{version}{match[2]}{self.text[match.end() :]}"
            if _parsed(text) == wanted:
                return text
        raise VersionError(f'{self.file}: write the version on a line of its own: version = "{self.version}"')


def read_project(folder: Path) -> Project:
    """
    Read a package.

    Raises:
        VersionError: there is no `pyproject.toml`, it is broken, or it holds no version of three numbers.
    """
    file = folder / "pyproject.toml"
    try:
        text = file.read_bytes().decode("utf-8")
        content = tomllib.loads(_newlines(text))
    except OSError as error:
        raise VersionError(
            f"{file} cannot be read: {error.strerror}; name the folder of the package with --path"
        ) from None
    except ValueError as error:
        raise VersionError(f"{file} is broken: {error}") from None
    for name in _TABLES:
        table = _table(content, name)
        if "version" in table:
            return Project(file, str(table.get("name", folder.name)), _version(file, table["version"]), text)
    if "version" in _table(content, "project").get("dynamic", ()):
        raise VersionError(f'{file}: the version is dynamic; remove it from `dynamic` and write version = "0.1.0"')
    raise VersionError(f'{file} has no version: write version = "0.1.0" below [project]')


def _version(file: Path, value: object) -> Version:
    version = parse_version(value) if isinstance(value, str) else None
    if version is None:
        raise VersionError(f"{file}: the version {value!r} is not one of three numbers, such as 1.2.3 or 1.3.0-rc.1")
    return version


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table: Any = content
    for part in name.split("."):
        table = table.get(part) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}


def _with_version(content: dict[str, Any], version: str) -> dict[str, Any]:
    table = next(table for name in _TABLES if "version" in (table := _table(content, name)))
    if isinstance(table, dict):
        table["version"] = version
    return content


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(_newlines(text))
    except ValueError:
        return None


def _newlines(text: str) -> str:
    """TOML knows two line endings; a file may mix them."""
    return text.replace("\r\n", "\n")
