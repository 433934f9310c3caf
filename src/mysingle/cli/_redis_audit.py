"""How the audit of a live Redis reads as text."""

from typing import Any

__all__ = ["as_text"]


def as_text(report: dict[str, Any]) -> str:
    """Return a table of the prefixes, and what breaks the allocation."""
    lines = [f"Redis {report['server']}, looked at for {report['seconds']:g} s", ""]
    lines.append(f"{'db':>2}  {'purpose':<24} {'prefix':<24} {'keys':>9} {'memory':>9} {'longest TTL':>12}  finding")
    for base in report["databases"]:
        lines += [_row(base, prefix) for prefix in base["prefixes"]] or [_empty(base)]
        if base["keys_seen"] < base["keys"]:
            lines.append(f"{'':>2}  … {base['keys_seen']} of {base['keys']} keys were looked at; see --max-keys")
    violations = report["violations"]
    lines += ["", *(f"- {line}" for line in violations)]
    lines.append(f"{len(violations)} violations of the allocation" if violations else "The allocation is kept.")
    return "\n".join(lines) + "\n"


def _row(base: dict[str, Any], prefix: dict[str, Any]) -> str:
    findings = {
        "foreign": prefix["is_foreign"],
        f"{prefix['without_ttl']} without TTL": prefix["without_ttl"],
        f"{prefix['ttl_too_long']} live too long": prefix["ttl_too_long"],
    }
    said = ", ".join(text for text, applies in findings.items() if applies) or "ok"
    return (
        f"{base['number']:>2}  {base['purpose']:<24} {_printable(prefix['prefix']):<24} {prefix['keys']:>9} "
        f"{_size(prefix['memory_bytes']):>9} {prefix['longest_ttl_seconds']:>10} s  {said}"
    )


def _empty(base: dict[str, Any]) -> str:
    return f"{base['number']:>2}  {base['purpose']:<24} {'-':<24} {0:>9}"


def _size(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _printable(text: str) -> str:
    """Keys come from anywhere: nothing in them may drive the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
