"""From the name of a service to the target of a channel."""

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from mysingle._kernel.errors import ErrorCode, MySingleError
from mysingle._kernel.settings.discovery import discovered_host, discovered_port

__all__ = ["Address", "DiscoveryError", "resolve"]

_PORT = r"[0-9]{1,5}"
_IPV6 = rf"\[[0-9A-Fa-f:.%a-z]+\]:{_PORT}"
_TARGETS = {
    "dns:": rf"(//[A-Za-z0-9.:\[\]-]*/)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:{_PORT})?",
    "ipv6:": rf"{_IPV6}(,{_IPV6})*",
    "unix:": r"[^\x00\s\"]+",
    "unix-abstract:": r"[^\x00\s\"]+",
    "vsock:": r"[0-9]+:[0-9]+",
    "xds:": r"//[A-Za-z0-9./_:-]+",
}
"""Scheme of gRPC → what stands behind it; the channel itself would only say so at the first call."""
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?")
_MAX_PORT = 65_535


class DiscoveryError(MySingleError, ValueError):
    """An address that cannot be used; the message says which forms there are."""

    default_code = ErrorCode.FAILED_PRECONDITION


class Address(NamedTuple):
    """Where a service is: the target for gRPC, and host and port for people and metrics."""

    target: str
    host: str
    port: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


def resolve(service_name: str, default_port: int, host: str | None, is_local: Callable[[], bool]) -> Address:
    """
    Return the address of a service.

    Args:
        service_name: for example `my-service`; `MY_SERVICE_GRPC_HOST` and `MY_SERVICE_GRPC_PORT` say where it is.
        default_port: for hosts that come without a port.
        host: in place of the environment: `host`, `host:port`, `a:1,b:2` or a target of gRPC such as `dns:///host:1`.
        is_local: whether to take `localhost` when nobody says; otherwise the service's name is its host.

    Raises:
        DiscoveryError: a host or a port that cannot be used.
    """
    chosen, port = host, default_port
    if not chosen:
        chosen = discovered_host(service_name) or ("localhost" if is_local() else service_name)
        port = _port(discovered_port(service_name) or str(default_port), service_name)
    return _parse(chosen.strip(), port)


@lru_cache(maxsize=1024)
def _parse(chosen: str, port: int) -> Address:
    scheme, separator, rest = chosen.partition(":")
    if scheme == "ipv4" and not _is_port(rest):
        return _many(rest, port)
    behind = _TARGETS.get(scheme + separator)
    if behind is not None and not _is_port(rest):
        if not re.fullmatch(behind, rest):
            raise _wrong(chosen, "behind the scheme stands no address: use dns:///host:50051 or ipv4:10.0.0.1:50051")
        return Address(chosen, chosen, "")
    if "," in chosen:
        return _many(chosen, port)
    name, given = _split(chosen)
    number = str(port if given is None else _port(given, chosen))
    return Address(f"dns:///{name}:{number}", name, number)


def _many(chosen: str, port: int) -> Address:
    """Several addresses become one target, so that calls are spread over them."""
    pairs = [_split(part.strip()) for part in chosen.split(",") if part.strip()]
    if not pairs:
        raise _wrong(chosen, "the list is empty")
    for name, _ in pairs:
        try:
            ipaddress.IPv4Address(name)
        except ValueError as error:
            raise _wrong(chosen, "a list may hold IPv4 addresses only; give names one DNS name instead") from error
    parts = [f"{name}:{port if given is None else _port(given, chosen)}" for name, given in pairs]
    return Address(f"ipv4:{','.join(parts)}", ",".join(parts), "")


def _split(text: str) -> tuple[str, str | None]:
    """Return host and port; the port is None when there is none."""
    if text.startswith("["):
        inside, closed, rest = text[1:].partition("]")
        if not closed or not _is_ipv6(inside) or (rest and not rest.startswith(":")):
            raise _wrong(text, "brackets are for IPv6 addresses: [::1]:50051")
        return f"[{inside}]", rest[1:] if rest else None
    if _is_ipv6(text):
        return f"[{text}]", None
    name, separator, port = text.partition(":")
    if not _HOST.fullmatch(name):
        raise _wrong(text, "use host, host:port, or a target such as dns:///host:50051")
    return name, port if separator else None


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _port(text: str, where: str) -> int:
    if not _is_port(text):
        raise _wrong(where, f"{text!r} is not a port between 1 and {_MAX_PORT}")
    return int(text)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text) <= _MAX_PORT


def _wrong(what: str, why: str) -> DiscoveryError:
    return DiscoveryError(f"{what!r} is no address of a service: {why}", reason="ADDRESS_INVALID")
