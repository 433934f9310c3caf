"""What a person must still do, and where: findings, and how their lines follow a text that changes."""

import difflib
from dataclasses import dataclass, replace

__all__ = ["GUIDE", "MARK", "Finding", "follow"]

GUIDE = "docs/how-to/migrate-from-v1.md"
MARK = "TODO(mysingle v2)"
"""Begins every comment that the codemod leaves; a later run lists those that are still there."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing that a person must do; `section` is a heading of the guide."""

    file: str = ""
    line: int
    what: str
    why: str
    section: str

    @property
    def guide(self) -> str:
        """Where to read on."""
        return f"{GUIDE}#{self.section}"


def follow(findings: list[Finding], before: str, after: str) -> list[Finding]:
    """Return the findings with the lines that they have in the text after a change."""
    if before == after or not findings:
        return findings
    old, new = before.splitlines(), after.splitlines()
    lines: dict[int, int] = {}
    for tag, first, last, new_first, new_last in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for offset in range(last - first):
            place = new_first + offset if tag == "equal" else min(new_first + offset, max(new_last - 1, new_first))
            lines[first + offset + 1] = place + 1
    return [replace(item, line=min(lines.get(item.line, item.line), max(len(new), 1))) for item in findings]
