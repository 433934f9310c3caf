"""The programs that run inside of the gateway, made from the templates beside this module."""

import re
from collections.abc import Iterable, Mapping
from importlib import resources

from mysingle._kernel import propagation
from mysingle._kernel.problems import TYPE_BASE, problem_title
from mysingle.tooling.gateway._names import CLAIMS, CLEARED
from mysingle.tooling.gateway.model import Gateway

__all__ = ["clear_program", "envoy_program", "kong_program", "sha256_program"]

_MARK = re.compile(r"@([A-Z0-9]+)@")


def clear_program() -> str:
    """Return what Kong runs on a route without authentication: clear, and nothing else."""
    return _filled("clear", {"CLEARED": _table(CLEARED)})


def kong_program(gateway: Gateway, vault_reference: str) -> str:
    """Return what Kong runs after its jwt plugin: clear, then set and sign what the token says."""
    return (
        clear_program()
        + "\n"
        + _filled("kong", {**_names(), **_problems(), "IDENTITY": _identity(gateway), "KEY": _text(vault_reference)})
    )


def envoy_program(gateway: Gateway) -> str:
    """Return what Envoy runs after its jwt_authn filter: set what the token says, and sign it for the service."""
    variables = {name: key.removeprefix("env:") for key, names in gateway.signing.items() for name in names}
    parts = {"SHA256": sha256_program(), "IDENTITY": _identity(gateway), "KEYS": _mapping(variables)}
    return _filled("envoy", {**_names(), **parts})


def sha256_program() -> str:
    """Return SHA-256 and HMAC in plain Lua."""
    return _filled("sha256", {})


def _identity(gateway: Gateway) -> str:
    values = {
        "SIGNED": _table(propagation.IDENTITY_HEADERS),
        "CLAIMS": _mapping(CLAIMS),
        "ISSUER": _text(gateway.issuer),
        "AUDIENCE": _text(gateway.audience),
    }
    return _filled("identity", values)


def _names() -> dict[str, str]:
    return {
        "TIMESTAMP": _text(propagation.HEADER_GATEWAY_TIMESTAMP),
        "NONCE": _text(propagation.HEADER_GATEWAY_NONCE),
        "SIGNATURE": _text(propagation.HEADER_GATEWAY_SIGNATURE),
    }


def _problems() -> dict[str, str]:
    titles = {code: problem_title(code) for code in ("TOKEN_INVALID", "AUTH_TEMPORARILY_UNAVAILABLE")}
    return {"PROBLEM": _text(TYPE_BASE), "TITLES": _mapping(titles)}


def _filled(name: str, values: Mapping[str, str]) -> str:
    source = resources.files("mysingle.tooling.gateway").joinpath("templates", f"{name}.lua")
    return _MARK.sub(lambda mark: values[mark[1]], source.read_text(encoding="utf-8"))


def _table(texts: Iterable[str]) -> str:
    """Write a list as a Lua table, a few to a line."""
    items = [_text(text) for text in texts]
    rows = [", ".join(items[at : at + 4]) for at in range(0, len(items), 4)]
    return "{\n" + "".join(f"  {row},\n" for row in rows) + "}"


def _mapping(texts: Mapping[str, str]) -> str:
    """Write text by text as a Lua table."""
    return "{ " + ", ".join(f"[{_text(name)}] = {_text(value)}" for name, value in texts.items()) + " }"


def _text(text: str) -> str:
    """Write text as a Lua string; every byte that is not plain is escaped, so nothing can end the string."""
    plain = "".join(chr(byte) if _is_plain(byte) else f"\\{byte:03d}" for byte in text.encode())
    return f'"{plain}"'


def _is_plain(byte: int) -> bool:
    return 0x20 <= byte < 0x7F and chr(byte) not in '"\\'
