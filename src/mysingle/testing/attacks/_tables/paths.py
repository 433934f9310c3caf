"""Spellings of a path: what is open stays as it is, and opens nothing else."""

from collections.abc import Callable

from mysingle.testing.attacks._attack import Attack, Need, attack, refused
from mysingle.testing.attacks._forge import Forge

__all__ = ["PATHS"]

_NOBODY = refused("AUTH_REQUIRED")

_TARGETS: dict[str, tuple[str, str]] = {
    "path-trailing-slash": ("adds a slash", "{path}/"),
    "path-double-slash": ("begins with two slashes", "/{path}"),
    "path-triple-slash": ("begins with three slashes", "//{path}"),
    "path-dot": ("begins with a dot segment", "/.{path}"),
    "path-dot-behind": ("adds a dot segment", "{path}/."),
    "path-dot-dot": ("climbs out of an open path", "{open}/..{path}"),
    "path-dot-dot-far": ("climbs far out of an open path", "{open}/../../..{path}"),
    "path-dot-dot-escaped": ("climbs out with escaped dots", "{open}/%2e%2e{path}"),
    "path-dot-dot-half-escaped": ("climbs out with one escaped dot", "{open}/.%2e{path}"),
    "path-slash-escaped": ("climbs out with an escaped slash", "{open}/..%2f{tail}"),
    "path-all-escaped": ("climbs out with everything escaped", "{open}%2f%2e%2e%2f{tail}"),
    "path-twice-escaped": ("climbs out with dots escaped twice", "{open}/%252e%252e{path}"),
    "path-overlong-dots": ("climbs out with dots in overlong UTF-8", "{open}/%c0%ae%c0%ae{path}"),
    "path-full-width-dots": ("climbs out with full-width dots", "{open}/%ef%bc%8e%ef%bc%8e{path}"),
    "path-backslash": ("climbs out with backslashes", "{open}\\..\\{tail}"),
    "path-backslash-escaped": ("climbs out with escaped backslashes", "{open}%5c..%5c{tail}"),
    "path-parameter": ("puts the path behind a path parameter", "{open};{path}"),
    "path-dot-dot-parameter": ("climbs out with a parameter", "{open}/..;{path}"),
    "path-parameter-behind": ("adds an open path as a parameter", "{path};{open}"),
    "path-extension": ("adds an extension", "{path}.json"),
    "path-extension-static": ("pretends to be a picture", "{path}/x.png"),
    "path-nul": ("puts a NUL between an open path and the path", "{open}%00{path}"),
    "path-nul-behind": ("adds a NUL to an open path", "{open}%00"),
    "path-newline": ("adds a line break to an open path", "{open}%0a"),
    "path-space": ("adds a space to an open path", "{open}%20"),
    "path-tab": ("adds a tab to the path", "{path}%09"),
    "path-fragment": ("adds an open path as a fragment", "{path}#{open}"),
    "path-fragment-escaped": ("adds an escaped fragment to an open path", "{open}%23{path}"),
    "path-query-escaped": ("adds an escaped query to an open path", "{open}%3f{path}"),
    "path-query-open": ("names an open path in the query", "{path}?next={open}"),
    "path-query-slashes": ("makes the query look like a path", "{path}?/..{open}"),
    "path-neighbour": ("goes beside an open path", "{open}-internal"),
    "path-longer": ("goes to a longer word than an open path", "{open}x{path}"),
    "path-capitals": ("writes an open path in capitals", "{OPEN}"),
    "path-escaped-letter": ("escapes a letter of the path", "/%{first}{rest}"),
    "path-back-to-open": ("climbs from the path to an open one", "{path}/..{open}"),
    "path-no-utf-8": ("adds bytes that are no UTF-8", "{path}%ff%fe"),
    "path-without-slash": ("leaves the first slash out", "{tail}"),
    "path-at": ("writes a name before the path", "@test{path}"),
    "path-absolute": ("sends the whole address", "http://test{path}"),
    "path-absolute-open": ("sends the whole address of an open path", "http://test{open}"),
    "path-absolute-other-host": ("sends an address elsewhere", "http://attacker.example{path}"),
    "path-absolute-climbing": ("climbs in a whole address", "http://test{open}/..{path}"),
    "path-absolute-double": ("puts an address into an address", "http://test/http://test{open}"),
    "path-asterisk": ("asks for everything", "*"),
    "path-mangled-escape": ("sends half an escape", "{path}%2"),
}

_BELOW: dict[str, tuple[str, str]] = {
    "prefix-dot-dot": ("climbs out of an open prefix", "{prefix}/..{path}"),
    "prefix-dot-dot-deep": ("climbs out of an open prefix from far below", "{prefix}/a/b/../../..{path}"),
    "prefix-dot-dot-escaped": ("climbs out of it with escaped dots", "{prefix}/%2e%2e{path}"),
    "prefix-dot-dot-half-escaped": ("climbs out of it with one escaped dot", "{prefix}/%2e.{path}"),
    "prefix-slash-escaped": ("climbs out of it with an escaped slash", "{prefix}/..%2f{tail}"),
    "prefix-dot": ("adds a dot segment to it", "{prefix}/.{path}"),
    "prefix-neighbour": ("goes beside it", "{prefix}-internal"),
    "prefix-longer": ("goes to a longer word", "{prefix}x{path}"),
    "prefix-parameter": ("adds a parameter to it", "{prefix};{path}"),
    "prefix-capitals": ("writes it in capitals", "{PREFIX}/x"),
    "prefix-double-slash": ("begins it with two slashes", "/{prefix}/x"),
    "prefix-nul": ("adds a NUL to it", "{prefix}%00/x"),
    "prefix-backslash": ("ends it with a backslash", "{prefix}\\..\\{tail}"),
    "prefix-absolute": ("writes it into a whole address", "http://test{prefix}/..{path}"),
}


def _target(template: str, forge: Forge) -> str:
    letters = forge.path.lstrip("/") or "x"
    return template.format(
        path=forge.path,
        open=forge.open_path,
        OPEN=forge.open_path.upper(),
        prefix=forge.public_prefix,
        PREFIX=(forge.public_prefix or "").upper(),
        tail=letters,
        first=f"{ord(letters[0]):02x}",
        rest=letters[1:],
    )


def _to(template: str) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(target=_target(template, forge))


PATHS: tuple[Attack, ...] = (
    *(attack(name, does, _to(template), _NOBODY) for name, (does, template) in _TARGETS.items()),
    *(attack(name, does, _to(template), _NOBODY, needs=[Need.PREFIX]) for name, (does, template) in _BELOW.items()),
    attack(
        "path-40-kib",
        "sends a path of 40 KiB",
        lambda forge: forge.get(target=forge.path + "/a" * 20_480),
        refused("TARGET_TOO_LONG", status=414),
    ),
)
