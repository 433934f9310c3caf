"""What was found out about the audit log: each stream with its end, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

__all__ = ["ACCEPTABLE", "Acceptable", "AuditAnchor", "AuditFinding", "AuditReport", "AuditStream", "Verdict"]

Acceptable: TypeAlias = Literal["pruned", "unchained", "unsigned"]
Kind: TypeAlias = Literal["changed", "missing", "anchor", "pruned", "unchained", "unsigned"]
Verdict: TypeAlias = Literal["intact", "broken", "unknown key"]

ACCEPTABLE: tuple[Acceptable, ...] = get_args(Acceptable)


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """Something wrong: where it begins, and in words; `number` is the place in the stream, from 0."""

    stream: str | None
    number: int | None
    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditStream:
    """
    What one process has written: how many records there are, and the number and the hash of the last one.

    `broken` counts what is wrong, and `finding` is the first of it.
    """

    stream: str
    began: str | None
    ended: str | None
    records: int
    last: int
    hash: str
    key_id: str | None
    verdict: Verdict
    broken: int
    finding: AuditFinding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """The whole log. `findings` are those that belong to no stream that is there."""

    server: str
    database: str
    collection: str
    records: int
    unchained: int
    streams: tuple[AuditStream, ...]
    findings: tuple[AuditFinding, ...]

    @property
    def verdict(self) -> Verdict:
        """Broken when anything is; otherwise "unknown key" when something could not be checked for want of its key."""
        verdicts = {stream.verdict for stream in self.streams} | ({"broken"} if self.findings else set())
        return "broken" if "broken" in verdicts else "unknown key" if "unknown key" in verdicts else "intact"

    def as_dict(self) -> dict[str, Any]:
        """Return the report as data for JSON; `AuditAnchor.parse` reads it."""
        return {"verdict": self.verdict, **asdict(self)}


@dataclass(frozen=True)
class AuditAnchor:
    """What an earlier report knew: stream → the number and the hash of its last record then."""

    heads: Mapping[str, tuple[int, str]]

    @classmethod
    def parse(cls, document: Any) -> "AuditAnchor":
        """
        Read what `AuditReport.as_dict` has made.

        Raises:
            ValueError: it is something else, or a report of a broken log.
        """
        try:
            verdict, streams = document["verdict"], document["streams"]
            heads = {item["stream"]: (item["last"], item["hash"]) for item in streams}
        except (TypeError, KeyError, AttributeError):
            raise ValueError("it is no report of `mysingle audit verify --json`") from None
        if not all(isinstance(last, int) and isinstance(value, str) for last, value in heads.values()):
            raise ValueError("it is no report of `mysingle audit verify --json`")
        if verdict == "broken":
            raise ValueError("it reports a broken log, which proves nothing about a later one")
        return cls(heads)
