"""How audit records hang together: each carries a hash over itself and over the one before it in its stream."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from bson.datetime_ms import DatetimeMS
from pydantic import SecretStr

from mysingle._kernel.propagation import new_id

__all__ = ["AuditChain", "AuditKey", "Place", "audit_keys", "record_hash"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DIGITS = 12
_SCALARS = (str, int, float)
_KEY_LABEL = b"mysingle audit key"

_as_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode

Document: TypeAlias = dict[str, Any]


class AuditKey(NamedTuple):
    """A secret of `AUDIT_SIGNING_KEYS`, and the name that records give to it."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        """Show the name alone."""
        return f"AuditKey({self.id!r})"


def audit_keys(secrets: Sequence[SecretStr]) -> tuple[AuditKey, ...]:
    """Return the keys of the setting, in their order: the first signs, all verify."""
    return tuple(_key(secret.get_secret_value().encode()) for secret in secrets)


def _key(secret: bytes) -> AuditKey:
    return AuditKey(hmac.digest(secret, _KEY_LABEL, "sha256").hex()[:16], secret)


class Place(NamedTuple):
    """Where a record stands: its stream, and its number there from 0. As text, records sort by their places."""

    stream: str
    number: int

    def __str__(self) -> str:
        """Return what the `_id` of the record is."""
        return f"{self.stream}:{self.number:0{_DIGITS}d}"

    @classmethod
    def parse(cls, text: object) -> "Place | None":
        """Read an `_id`; None when it is not one of a chained record."""
        stream, _, digits = text.rpartition(":") if isinstance(text, str) else ("", "", "")
        if not stream or len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
            return None
        return cls(stream, int(digits))


class AuditChain:
    """
    One stream: what one process has written since its start.

    `link` gives records their places and hashes, and `keep` makes them part of the stream; linking the same records
    again before that gives the same documents.
    """

    def __init__(self, keys: Sequence[AuditKey] = ()) -> None:
        self._stream = new_id()
        self._key = keys[0] if keys else None
        self._length = 0
        self._last = ""

    def link(self, records: Sequence[Mapping[str, Any]]) -> list[Document]:
        """Return the records as documents of the places that come next."""
        documents = []
        previous = self._last
        for number, fields in enumerate(records, start=self._length):
            document = {"_id": str(Place(self._stream, number)), **fields, "key_id": self._key and self._key.id}
            document["hash"] = previous = record_hash(document, previous, self._key and self._key.secret)
            documents.append(document)
        return documents

    def keep(self, documents: Sequence[Document]) -> None:
        """Go on behind these documents."""
        if documents:
            self._length += len(documents)
            self._last = documents[-1]["hash"]


def record_hash(document: Mapping[str, Any], previous: str, secret: bytes | None) -> str:
    """
    Return the hash of a record that follows `previous` ("" for the first): SHA-256, or HMAC-SHA256 with a secret.

    All fields but `hash` count, `_id` with its place too; the order of fields does not. Times count in milliseconds,
    because that is what the database keeps.
    """
    fields = {name: _plain(value) for name, value in document.items() if name != "hash"}
    data = (previous + _as_json(fields)).encode()
    return (hmac.digest(secret, data, "sha256") if secret else hashlib.sha256(data).digest()).hex()


def _plain(value: object) -> object:
    """Return what JSON can tell from every other value; what no record holds counts by its type and looks."""
    if value is None or isinstance(value, _SCALARS):
        return value
    if isinstance(value, DatetimeMS):
        return ["time", int(value)]
    if isinstance(value, datetime):
        return ["time", (value - _EPOCH) // _MILLISECOND]
    return [type(value).__name__, repr(value)]
