"""Which passwords an account may have: long enough, not too long, and nothing that is tried first."""

import re
from collections.abc import Iterable, Iterator

from mysingle._kernel.errors import FieldViolation
from mysingle.auth.iam._common_passwords import folded, is_common, plain

__all__ = ["MAX_BYTES", "MAX_CHARACTERS", "is_acceptable", "problems", "violations"]

MAX_CHARACTERS = 128
MAX_BYTES = 1024
_MIN_LENGTH = 8
_SHORTEST_CONTEXT = 4
_PROJECT = "mysingle"


def is_acceptable(password: str) -> bool:
    """Tell whether something can be a password at all: proper text of at most 1 KiB. It may hold any character."""
    if len(password) > MAX_BYTES:
        return False
    try:
        return len(password.encode()) <= MAX_BYTES
    except UnicodeEncodeError:  # a lone surrogate, which no keyboard sends
        return False


def problems(password: str, *, email: str, names: Iterable[str] = (), min_length: int = _MIN_LENGTH) -> tuple[str, ...]:
    """
    Return why a password is refused, one sentence each; nothing when it may be used.

    There are no rules of composition, and the password is never altered.

    Args:
        password: as it was typed.
        email: the address of the account; its parts make no password.
        names: other words that make none, such as the person's name and the project's.
        min_length: how many characters it needs.

    Source: OWASP ASVS 5.0, 6.2.1 to 6.2.11.
    """
    return tuple(item.message for item in violations(password, email=email, names=names, min_length=min_length))


def violations(
    password: str,
    *,
    email: str,
    names: Iterable[str] = (),
    min_length: int = _MIN_LENGTH,
    field: str = "password",
) -> tuple[FieldViolation, ...]:
    """Return the same with a stable word for each: too_short, too_long, not_text, common, personal."""
    found = _find(password, (email, *names), min_length)
    return tuple(FieldViolation(field=field, code=code, message=message) for code, message in found)


def _find(password: str, context: Iterable[str], min_length: int) -> Iterator[tuple[str, str]]:
    if len(password) > MAX_CHARACTERS or len(password.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        yield "too_long", f"The password has more than {MAX_CHARACTERS} characters."
        return
    if not is_acceptable(password):
        yield "not_text", "The password holds something that is no character."
        return
    if len(password) < min_length:
        yield "too_short", f"The password has fewer than {min_length} characters."
    if is_common(password):
        yield "common", "The password is one of those that are tried first."
    if _is_personal(password, context):
        yield "personal", "The password is made of the e-mail address, the name or the name of the service."


def _is_personal(password: str, context: Iterable[str]) -> bool:
    """Tell whether too little is left of a password without the words that anybody knows who knows the account."""
    words = sorted(_words(context), key=len, reverse=True)
    text = folded(password)
    return any(_is_mostly(candidate, words) for candidate in (text, plain(text)))


def _is_mostly(text: str, words: Iterable[str]) -> bool:
    rest = text
    for word in words:
        rest = rest.replace(word, "")
    return rest != text and len(rest) < _MIN_LENGTH


def _words(context: Iterable[str]) -> set[str]:
    parts = (part for text in (*context, _PROJECT) for part in (text.split("@")[0], *re.split(r"[\W_]+", text)))
    return {word for word in map(folded, parts) if len(word) >= _SHORTEST_CONTEXT}
