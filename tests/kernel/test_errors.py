import pickle
from collections.abc import Iterator

import pytest

from mysingle._kernel import errors
from mysingle._kernel.errors import ErrorCode, MySingleError, NotFoundError, add_translator, translate

CODES = [
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]


class LibraryError(Exception):
    pass


class LibraryTimeoutError(LibraryError, TimeoutError):
    pass


@pytest.fixture(autouse=True)
def translators(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start with an empty table of translators, and put the real one back."""
    kept = dict(errors._translators)
    errors._translators.clear()
    yield
    errors._translators.clear()
    errors._translators.update(kept)


def test_codes() -> None:
    """There are the sixteen canonical codes of google.rpc.Code, and each one's value is its name."""
    assert list(ErrorCode) == CODES
    assert len(CODES) == 16


FAMILY = [
    ("NotFoundError", ErrorCode.NOT_FOUND),
    ("AlreadyExistsError", ErrorCode.ALREADY_EXISTS),
    ("InvalidArgumentError", ErrorCode.INVALID_ARGUMENT),
    ("PermissionDeniedError", ErrorCode.PERMISSION_DENIED),
    ("UnauthenticatedError", ErrorCode.UNAUTHENTICATED),
    ("ResourceExhaustedError", ErrorCode.RESOURCE_EXHAUSTED),
    ("UnavailableError", ErrorCode.UNAVAILABLE),
    ("MySingleError", ErrorCode.INTERNAL),
]


@pytest.mark.parametrize(("name", "code"), FAMILY, ids=[row[0] for row in FAMILY])
def test_default_code(name: str, code: ErrorCode) -> None:
    """Each class has one code, which is also its reason until somebody gives a better one."""
    error = getattr(errors, name)()

    assert (code, code.value, code.value) == (error.code, error.reason, str(error))


def test_own_values() -> None:
    """What is given wins over the defaults, and mappings are copied."""
    details = {"order": 1}
    error = NotFoundError("No such order.", code=ErrorCode.ABORTED, reason="ORDER_GONE", details=details)
    details.clear()

    assert (error.code, error.reason, str(error)) == (ErrorCode.ABORTED, "ORDER_GONE", "No such order.")
    assert error.details == {"order": 1}


def test_pickles() -> None:
    """An error survives the way into another process, with everything it says."""
    error = pickle.loads(pickle.dumps(NotFoundError("gone", reason="R", details={"a": 1}, retry_after_seconds=2)))

    assert (type(error), str(error), vars(error)) == (NotFoundError, "gone", vars(error))
    assert (error.reason, error.details, error.retry_after_seconds) == ("R", {"a": 1}, 2)


def test_our_own_are_themselves() -> None:
    """An error of the family is its own translation, even when somebody registers a translator for it."""
    add_translator(Exception, lambda error: MySingleError("translated"))
    error = NotFoundError("gone")

    assert translate(error) is error


def test_unknown_has_no_translation() -> None:
    """What nobody knows is None."""
    assert translate(LibraryError()) is None


def test_most_specific_type_wins() -> None:
    """Translators are looked up by the order in which Python resolves the error's class."""
    add_translator(Exception, lambda error: MySingleError("any"))
    add_translator(TimeoutError, lambda error: MySingleError("timeout"))
    add_translator(LibraryError, lambda error: MySingleError(f"library: {error}"))
    translated = [str(translate(error)) for error in (LibraryTimeoutError("x"), TimeoutError(), ValueError())]
    add_translator(LibraryTimeoutError, lambda error: MySingleError("both"))

    assert translated == ["library: x", "timeout", "any"]
    assert str(translate(LibraryTimeoutError())) == "both"


def test_registering_again_replaces() -> None:
    """A package that opens twice registers once."""
    add_translator(LibraryError, lambda error: MySingleError("first"))
    add_translator(LibraryError, lambda error: MySingleError("second"))

    assert str(translate(LibraryError())) == "second"
