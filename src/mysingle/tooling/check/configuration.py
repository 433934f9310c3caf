"""What a run checks, and what it leaves out: `[tool.mysingle.check]` of pyproject.toml, and the command line."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mysingle.tooling.check.errors import CheckError
from mysingle.tooling.check.rules import RULES

__all__ = ["CheckConfig", "find_pyproject", "matching_codes", "read_config"]

_LISTS = {
    "select": "select",
    "ignore": "ignore",
    "exclude": "exclude",
    "external-hosts": "external_hosts",
    "service-hosts": "service_hosts",
}
_TABLE = "tool.mysingle.check"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConfig:
    """
    The configuration of a run.

    Codes may be beginnings: `MS5` means every rule of Redis. `per_file_ignores` is pattern → codes. Hosts are patterns
    such as `*.example.net`. `base` is where shown paths and patterns begin.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    external_hosts: tuple[str, ...] = ()
    service_hosts: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    baseline: Path | None = None
    base: Path = field(default_factory=Path)

    def active(self, shown: str, *, in_tests: bool) -> frozenset[str]:
        """Return the codes of the rules that count for a file."""
        ignored = list(self.ignore)
        for pattern, codes in self.per_file_ignores.items():
            if fnmatch(shown, pattern) or fnmatch(shown, f"{pattern.rstrip('/')}/*"):
                ignored += codes
        chosen = matching_codes(self.select) if self.select else frozenset(RULES)
        kept = chosen - matching_codes(ignored)
        return frozenset(code for code in kept if not in_tests or RULES[code].in_tests)


def matching_codes(beginnings: Sequence[str]) -> frozenset[str]:
    """
    Return the codes that begin with one of the given.

    Raises:
        CheckError: one of them is the beginning of none.
    """
    found: set[str] = set()
    for beginning in beginnings:
        codes = {code for code in RULES if code.startswith(beginning.upper())}
        if not codes or not beginning:
            raise CheckError(f"there is no rule {beginning!r}; `mysingle check --list` shows them")
        found |= codes
    return frozenset(found)


def find_pyproject(start: Path) -> Path | None:
    """Return the nearest pyproject.toml, upwards."""
    folder = start if start.is_dir() else start.parent
    for place in (folder, *folder.parents):
        if (place / "pyproject.toml").is_file():
            return place / "pyproject.toml"
    return None


def read_config(file: Path | None, base: Path) -> CheckConfig:
    """
    Return the configuration in a pyproject.toml; the defaults without one, or without the table in it.

    Raises:
        CheckError: the file cannot be read, or a value is none that counts.
    """
    if file is None:
        return CheckConfig(base=base)
    table = _table(file)
    unknown = set(table) - set(_LISTS) - {"per-file-ignores", "baseline"}
    if unknown:
        known = ", ".join(sorted([*_LISTS, "per-file-ignores", "baseline"]))
        raise CheckError(f"{file}: [{_TABLE}] has no {min(unknown)!r}; there are {known}")
    lists = {field_name: _texts(file, name, table[name]) for name, field_name in _LISTS.items() if name in table}
    ignores = table.get("per-file-ignores", {})
    if not isinstance(ignores, dict):
        raise CheckError(f"{file}: [{_TABLE}] per-file-ignores must be a table of pattern = [codes]")
    per_file = {pattern: _texts(file, f"per-file-ignores.{pattern}", codes) for pattern, codes in ignores.items()}
    baseline = table.get("baseline")
    if baseline is not None and not isinstance(baseline, str):
        raise CheckError(f"{file}: [{_TABLE}] baseline must be the name of a file")
    for codes in (lists.get("select", ()), lists.get("ignore", ()), *per_file.values()):
        _check_codes(file, codes)
    return CheckConfig(
        **lists, per_file_ignores=per_file, baseline=file.parent / baseline if baseline else None, base=file.parent
    )


def _table(file: Path) -> Mapping[str, Any]:
    try:
        with file.open("rb") as stream:
            found = tomllib.load(stream)
    except OSError as error:
        raise CheckError(f"{file}: the file cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CheckError(f"{file}: the file is not TOML: {error}") from error
    for name in _TABLE.split("."):
        found = found.get(name, {})
        if not isinstance(found, dict):
            raise CheckError(f"{file}: [{_TABLE}] must be a table")
    return found


def _texts(file: Path, name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
        raise CheckError(f"{file}: [{_TABLE}] {name} must be a list of texts")
    return tuple(value)


def _check_codes(file: Path, codes: Sequence[str]) -> None:
    try:
        matching_codes(codes)
    except CheckError as error:
        raise CheckError(f"{file}: [{_TABLE}] {error}") from error
