"""A baseline: the findings that were there when the check was introduced, and that do not count."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mysingle.tooling.check._writing import write_atomically
from mysingle.tooling.check.errors import CheckError
from mysingle.tooling.check.findings import Finding

__all__ = ["Baseline", "fingerprint"]

_VERSION = 1


def fingerprint(finding: Finding) -> tuple[str, str, str]:
    """Return what a finding keeps when lines are added above it: file, code, and the text of its line."""
    digest = hashlib.sha256(finding.source.strip().encode(errors="replace")).hexdigest()[:16]
    return (finding.path, finding.code, digest)


class Baseline:
    """Counts findings by their fingerprint; a finding more than the baseline has is a new one."""

    def __init__(self, entries: Iterable[tuple[str, str, str]] = ()) -> None:
        self._counts = Counter(entries)

    @classmethod
    def read(cls, file: Path) -> "Baseline":
        """
        Read a baseline.

        Raises:
            CheckError: the file cannot be read, or is none.
        """
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            entries = [
                (entry["path"], entry["code"], entry["line"])
                for entry in document["findings"]
                for _ in range(int(entry.get("count", 1)))
            ]
            version = document["version"]
        except OSError as error:
            raise CheckError(f"{file}: the baseline cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckError(f"{file}: the file is no baseline; write one with --write-baseline") from error
        if version != _VERSION:
            raise CheckError(f"{file}: the baseline has version {version!r}; write it again with --write-baseline")
        return cls(entries)

    @staticmethod
    def write(file: Path, findings: Sequence[Finding]) -> None:
        """Write the baseline of some findings, all or nothing."""
        counts = Counter(fingerprint(finding) for finding in findings)
        entries = [
            {"path": path, "code": code, "line": line, "count": count}
            for (path, code, line), count in sorted(counts.items())
        ]
        text = json.dumps({"version": _VERSION, "findings": entries}, indent=2, ensure_ascii=False)
        write_atomically(file, f"{text}\n".encode(errors="backslashreplace"))

    def without_known(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings that are not in the baseline."""
        left = Counter(self._counts)
        fresh = []
        for finding in findings:
            mark = fingerprint(finding)
            if left[mark] > 0:
                left[mark] -= 1
            else:
                fresh.append(finding)
        return fresh
