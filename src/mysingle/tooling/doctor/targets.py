"""Where gRPC calls go, and whether they are spread there."""

import asyncio
import ipaddress
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from mysingle.tooling.doctor.reach import bounded, connect_to, resolve_name
from mysingle.tooling.doctor.report import Line, Section, Status

__all__ = ["Target", "grpc_targets", "parse_target"]

_DEFAULT_PORT = 50051
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Target(NamedTuple):
    """The places that a setting names; `is_list` when it spells several addresses out."""

    places: tuple[tuple[str, int], ...]
    is_list: bool


def parse_target(text: str, port: str | None) -> Target | None:
    """Read `host`, `host:port`, `a:1,b:2`, `dns:///host:port` or `ipv4:a:1,b:2`; None for other kinds of targets."""
    scheme, separator, rest = text.partition(":")
    bare = rest.lstrip("/").rpartition("/")[2] if separator and scheme in ("dns", "ipv4", "ipv6") else text
    if separator and scheme in ("unix", "unix-abstract", "vsock", "xds"):
        return None
    default = int(port) if port and port.isdecimal() else _DEFAULT_PORT
    places = tuple(_place(part.strip(), default) for part in bare.split(",") if part.strip())
    return Target(places, len(places) > 1) if places else None


def _place(text: str, default: int) -> tuple[str, int]:
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, _number(port.lstrip(":"), default)
    if text.count(":") > 1:
        return text, default
    host, _, port = text.partition(":")
    return host, _number(port, default)


def _number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and 0 < int(text) < 1 << 16 else default


async def grpc_targets(targets: Mapping[str, tuple[str, str | None]], seconds: float) -> Section:
    """Look at each `<SERVICE>_GRPC_HOST`: does somebody listen, and at how many addresses."""
    lines = await asyncio.gather(*(_look(name, host, port, seconds) for name, (host, port) in targets.items()))
    if not lines:
        lines = [Line(name="none", status=Status.NOTE, text="no <SERVICE>_GRPC_HOST is set")]
    return Section("grpc targets", tuple(lines))


async def _look(name: str, text: str, port: str | None, seconds: float) -> Line:
    target = parse_target(text, port)
    if target is None:
        return Line(name=name, status=Status.NOTE, text=f"{text} is not looked at")
    try:
        addresses = await _addresses(target, seconds)
        took = max([await bounded(partial(connect_to, *place, seconds), seconds) for place in target.places])
    except (OSError, TimeoutError, UnicodeError) as error:
        cause = getattr(error, "strerror", None) or f"no answer within {seconds:g} s"
        return Line(name=name, status=Status.FAIL, text=f"{text}: {cause}")
    status, said = _verdict(target, addresses)
    return Line(
        name=name, status=status, text=f"{text}: {said}", milliseconds=took * 1000, data={"addresses": addresses}
    )


async def _addresses(target: Target, seconds: float) -> tuple[str, ...]:
    found = [await bounded(partial(resolve_name, host), seconds) for host, _ in target.places]
    return tuple(dict.fromkeys(address for addresses in found for address in addresses))


def _verdict(target: Target, addresses: tuple[str, ...]) -> tuple[Status, str]:
    host = target.places[0][0]
    if host in _LOCAL:
        return Status.OK, "this machine"
    if target.is_list or len(addresses) > 1:
        return Status.OK, f"{max(len(target.places), len(addresses))} addresses"
    if _is_address(host):
        return Status.WARN, "one fixed address: calls are not spread, and a new one is never found"
    return (
        Status.WARN,
        "one address behind the name: calls are not spread if a balancer stands there (use a headless one)",
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
