"""One form for an e-mail address: what is shown, and what is compared."""

import unicodedata
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

__all__ = ["EmailAddress", "deliverable", "normalize"]

_MAX_CHARACTERS = 254
_MAX_LOCAL_BYTES = 64


class EmailAddress(NamedTuple):
    """`display` is where mail goes; `key` is equal for spellings of one address, and unique among the users."""

    display: str
    key: str


def normalize(email: str) -> EmailAddress:
    """
    Return the two forms of an address: compatibility characters replaced, the key case-folded with a punycode domain.

    Raises:
        ValueError: it is not a plain address; `Name <a@example.com>` is none. The message never quotes it.
    """
    if len(email) > _MAX_CHARACTERS:
        raise ValueError("An e-mail address has at most 254 characters")
    try:
        parts = validate_email(
            unicodedata.normalize("NFKC", email.strip(" \t")),
            check_deliverability=False,
            allow_display_name=False,
            test_environment=True,
        )
    except (EmailNotValidError, UnicodeError):
        raise ValueError("This is not a plain e-mail address, such as name@example.com") from None
    if len(parts.local_part.encode()) > _MAX_LOCAL_BYTES:
        raise ValueError("An e-mail address has at most 64 characters before the @ sign")
    local = _folded(parts.local_part)
    if _ascii(local) != _ascii(parts.local_part.lower()):
        # Two mailboxes, one key: whoever owns the look-alike would be taken for the other.
        raise ValueError("This e-mail address is too easily taken for another one")
    return EmailAddress(parts.normalized, f"{local}@{parts.ascii_domain.lower()}")


def deliverable(email: str) -> str:
    """Return a normalised address with its domain in ASCII, as every mail server takes it."""
    local, _, _ = email.rpartition("@")
    return f"{local}@{validate_email(email, check_deliverability=False, test_environment=True).ascii_domain}"


def _ascii(text: str) -> str:
    return "".join(character for character in text if character.isascii())


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
