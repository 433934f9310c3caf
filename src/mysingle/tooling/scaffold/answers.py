"""What a person says about a new service, checked before anything is written."""

import importlib.util
import keyword
import re
from dataclasses import asdict, dataclass, fields
from typing import Any

from mysingle._kernel.errors import ErrorCode, MySingleError

__all__ = ["Answers", "ScaffoldError", "is_available"]

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,34}[a-z0-9])?")
_TAKEN = frozenset({"app", "mysingle", "tests"})
_TYPES = ("non-iam", "iam")
_PARTS = {"grpc": "mysingle.grpc", "dsl": "mysingle.dsl", "tasks": "mysingle.tasks"}


class ScaffoldError(MySingleError, ValueError):
    """A service that cannot be made or updated; the message is one line: what is wrong, and what to do."""

    default_code = ErrorCode.FAILED_PRECONDITION


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """
    The choices of one service.

    Args:
        service_name: lower-case letters, digits and single hyphens between them, at most 36 characters.
        service_type: `iam` or `non-iam`.
        grpc, dsl, tasks: parts of mysingle that the service uses.

    Raises:
        ScaffoldError: a name that cannot be used, or a part that this version of mysingle does not have.
    """

    service_name: str
    service_type: str = "non-iam"
    grpc: bool = False
    dsl: bool = False
    tasks: bool = False

    def __post_init__(self) -> None:
        """Refuse what could not become a service that runs."""
        _check_name(self.service_name)
        if self.service_type not in _TYPES:
            raise ScaffoldError(f"{self.service_type!r} is no type of service; there are {' and '.join(_TYPES)}")
        for part, module in _PARTS.items():
            if getattr(self, part) and not is_available(module):
                raise ScaffoldError(f"--{part} needs {module}, which this version of mysingle does not bring; omit it")

    @property
    def word(self) -> str:
        """The name as one word of Python, for modules and for the package of its protos."""
        word = self.service_name.removesuffix("-service").replace("-", "_")
        return f"{word}_service" if keyword.iskeyword(word) else word

    @classmethod
    def read(cls, values: Any) -> "Answers":
        """
        Return the answers that a service remembers; what is not known any more is left out.

        Raises:
            ScaffoldError: they are no answers.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or not isinstance(values.get("service_name"), str):
            raise ScaffoldError("the answers in the template's file cannot be read; restore the file from git")
        return cls(**{name: value for name, value in values.items() if name in known})

    def with_parts(self, *, grpc: bool, dsl: bool, tasks: bool) -> "Answers":
        """Return the answers with further parts; a part that is there stays."""
        chosen = {"grpc": grpc, "dsl": dsl, "tasks": tasks}
        return Answers(**{**asdict(self), **{part: True for part, wanted in chosen.items() if wanted}})


def is_available(module: str) -> bool:
    """Tell whether a module of this package is here, without importing it."""
    return importlib.util.find_spec(module) is not None


def _check_name(name: str) -> None:
    if name in _TAKEN:
        raise ScaffoldError(f"{name!r} is taken by a package that every service has; choose another name")
    if not _NAME.fullmatch(name) or "--" in name:
        raise ScaffoldError(
            f"{name!r} is no name of a service: use lower-case letters, digits and hyphens between them, beginning "
            "with a letter, at most 36 characters, for example order-service"
        )
