"""How MongoDB's errors read in our family: what may pass, what to answer, and no value of a document in any of it."""

from beanie.exceptions import DocumentNotFound, RevisionIdWasChanged
from pymongo.errors import ConfigurationError, ConnectionFailure, DuplicateKeyError, OperationFailure, PyMongoError

from mysingle._kernel.context import current_context
from mysingle._kernel.errors import (
    AlreadyExistsError,
    ErrorCode,
    MySingleError,
    NotFoundError,
    UnavailableError,
    add_translator,
)

__all__ = ["absence", "budget_exhausted", "is_passing", "refusal", "register_translators", "unavailable"]

# Workers that start together may create a collection or index at the same instant; the second try finds it there.
# https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
_RACE_CODES = frozenset({48, 112, 117, 276})  # NamespaceExists, WriteConflict, ConflictingOperation, IndexBuildAborted
_CREDENTIAL_CODES = frozenset({13, 18})  # Unauthorized, AuthenticationFailed
_WRITE_CONFLICT = 112
_TRANSIENT = "TransientTransactionError"


def register_translators() -> None:
    """Say how the errors of the driver and of Beanie are answered; see docs/reference/errors.md."""
    add_translator(PyMongoError, _translate)
    add_translator(DuplicateKeyError, _already_exists)
    add_translator(RevisionIdWasChanged, _revision_conflict)
    add_translator(DocumentNotFound, _not_found)


def is_passing(error: PyMongoError | TimeoutError) -> bool:
    """Tell whether the same thing may work a moment later."""
    if isinstance(error, ConnectionFailure | TimeoutError) or error.timeout:
        return True
    if isinstance(error, ConfigurationError):
        return True  # after the client was made, it is the name server of a mongodb+srv string that does not answer
    return isinstance(error, OperationFailure) and error.code in _RACE_CODES


def refusal(error: PyMongoError | TimeoutError, address: str) -> MySingleError:
    """Return why the start ends at once."""
    if isinstance(error, OperationFailure) and error.code in _CREDENTIAL_CODES:
        return UnavailableError(
            f"MongoDB at {address} refuses the credentials: check MONGODB_USERNAME, MONGODB_PASSWORD or MONGODB_URL",
            reason="MONGODB_REFUSED",
        )
    return MySingleError(
        f"MongoDB at {address} cannot be prepared: {_cause(error)}",
        code=ErrorCode.FAILED_PRECONDITION,
        reason="MONGODB_SETUP_FAILED",
    )


def absence(address: str, seconds: float) -> UnavailableError:
    """Return that nobody answered while the service started."""
    return UnavailableError(
        f"MongoDB at {address} is not reachable within {seconds:g} s: "
        "start it, or set MONGODB_URL or MONGODB_SERVER to where it runs",
        reason="MONGODB_UNAVAILABLE",
        retry_after_seconds=1,
    )


def unavailable(error: PyMongoError) -> UnavailableError:
    """Return that the server is away for the moment."""
    return UnavailableError(
        "The database is not reachable at the moment",
        reason="MONGODB_UNAVAILABLE",
        details={"error": type(error).__name__},
        retry_after_seconds=1,
    )


def budget_exhausted() -> MySingleError:
    """Return that the request has no time left, so that its database was not asked."""
    return MySingleError("No time left for the database", code=ErrorCode.DEADLINE_EXCEEDED, reason="BUDGET_EXHAUSTED")


def _translate(error: PyMongoError) -> MySingleError:
    if error.timeout and current_context().seconds_left() == 0:
        return budget_exhausted()
    if isinstance(error, ConnectionFailure) or error.timeout:
        return unavailable(error)
    if error.has_error_label(_TRANSIENT) or getattr(error, "code", None) == _WRITE_CONFLICT:
        return _conflict("Somebody else changed the same thing at the same time: try again", reason="WRITE_CONFLICT")
    return MySingleError(f"MongoDB refused an operation: {type(error).__name__}", reason="MONGODB_ERROR")


def _cause(error: Exception) -> str:
    """Return what the server says, in one line and without the values of documents."""
    if isinstance(error, DuplicateKeyError):
        return f"documents that exist already have the same {_key_fields(error)}"
    details = error.details if isinstance(error, OperationFailure) else None
    return str((details or {}).get("errmsg") or type(error).__name__)


def _already_exists(error: DuplicateKeyError) -> AlreadyExistsError:
    return AlreadyExistsError("It exists already", details={"fields": _key_fields(error)})


def _revision_conflict(error: RevisionIdWasChanged) -> MySingleError:
    return _conflict("Somebody else changed it meanwhile: read it again", reason="REVISION_CONFLICT")


def _not_found(error: DocumentNotFound) -> NotFoundError:
    return NotFoundError("It does not exist any more")


def _conflict(message: str, *, reason: str) -> MySingleError:
    return MySingleError(message, code=ErrorCode.ABORTED, reason=reason)


def _key_fields(error: DuplicateKeyError) -> str:
    return ", ".join((error.details or {}).get("keyPattern", {})) or "key"
