"""MS4: addresses of other systems come from the environment."""

import ast
import re
from collections.abc import Mapping

from mysingle.tooling.check._addresses import Whose, classify, classify_host, parse_address, words
from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._places import NamedPlace, named_place, whole_text
from mysingle.tooling.check._scopes import Scope
from mysingle.tooling.check._syntax import argument
from mysingle.tooling.check._values import Text

__all__ = ["HANDLERS"]

_HARD_CODED = (Whose.SERVICE, Whose.LOCAL, Whose.GATEWAY, Whose.INFRASTRUCTURE)
_NO_NETWORK = ("file", "data", "urn", "about", "memory", "sqlite", "s3", "gs", "app", "pkg", "git", "otpauth", "tel")
_WORD = re.compile(r"[a-z][a-z0-9_-]*")
_PORT_IN_TEXT = re.compile(r":(?P<port>\d{2,5})(?=/|$)(?P<path>/)?")
_HOST_NAMES = frozenset(
    ["host", "hostname", "addr", "address", "ip", "server", "url", "base", "target", "domain", "node"]
)
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]*:/{2,3}")
_HOST = re.compile(r"(?=.*[a-z.])[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)
_HOST_PORT = re.compile(r"(?P<host>[a-z0-9][a-z0-9.-]*|\[[0-9a-f:]+\]):(?P<port>\d{2,5})", re.IGNORECASE)
_HOST_WORDS = (
    "host",
    "hostname",
    "address",
    "addr",
    "server",
    "servers",
    "target",
    "endpoint",
    "hosts",
    "node",
    "broker",
    "ip",
)
_NO_HOSTS = frozenset(
    [
        "any",
        "all",
        "anonymous",
        "default",
        "direct",
        "here",
        "local",
        "missing",
        "nobody",
        "none",
        "null",
        "remote",
        "self",
        "test",
        "testclient",
        "unix",
        "unknown",
        "unset",
    ]
)
"""Words that stand where a host is not known."""
_BOUNDS = frozenset({"default", "max", "min", "highest", "lowest", "first", "last"})
_LAST_PORT = 65535
_CONNECTS: Mapping[str, tuple[int | None, int | None]] = {
    "grpc.insecure_channel": (0, None),
    "grpc.secure_channel": (0, None),
    "grpc.aio.insecure_channel": (0, None),
    "grpc.aio.secure_channel": (0, None),
    "asyncio.open_connection": (0, 1),
    "redis.Redis": (0, 1),
    "redis.asyncio.Redis": (0, 1),
    "pymongo.MongoClient": (0, 1),
    "pymongo.AsyncMongoClient": (0, 1),
    "motor.motor_asyncio.AsyncIOMotorClient": (0, 1),
    "smtplib.SMTP": (0, 1),
    "smtplib.SMTP_SSL": (0, 1),
    "http.client.HTTPConnection": (0, 1),
    "http.client.HTTPSConnection": (0, 1),
    "prometheus_client.start_http_server": (None, 0),
    "uvicorn.run": (None, 2),
    "mysingle.run": (None, 2),
}
"""Call → positions of its host and of its port."""


def _on_text(context: Context, node: ast.Constant | ast.JoinedStr, scope: Scope) -> None:
    if not _could_be_address(node):
        return
    place = named_place(context, node, scope)
    if place.is_harmless or place.is_setting:
        return
    whole = whole_text(context, node)
    text = Text((str(node.value),)) if whole is node and isinstance(node, ast.Constant) else None
    text = text or context.evaluator.text(whole, scope)
    if text is None:
        return
    if _SCHEME.match(_own_lead(node)) or _has_named_scheme(node, text):
        _check_url(context, node, text)
    elif isinstance(node, ast.JoinedStr):
        _check_port_in_text(context, node)
    elif place.name and not place.is_binding:
        _check_host(context, node, place)


def _could_be_address(node: ast.Constant | ast.JoinedStr) -> bool:
    """Leave out, before anything is computed, what cannot be one."""
    if isinstance(node, ast.JoinedStr):
        return True
    value = str(node.value)
    return 2 < len(value) < 2000 and (":" in value or "." in value or _WORD.fullmatch(value) is not None)


def _own_lead(node: ast.Constant | ast.JoinedStr) -> str:
    first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
    return str(first.value) if isinstance(first, ast.Constant) else ""


def _has_named_scheme(node: ast.Constant | ast.JoinedStr, text: Text) -> bool:
    """Tell whether this is `f"{SCHEME}://..."` with a scheme that the code names."""
    parts = node.values[:2] if isinstance(node, ast.JoinedStr) else []
    is_split = len(parts) == 2 and isinstance(parts[1], ast.Constant) and str(parts[1].value).startswith("://")
    return is_split and bool(text.parts) and isinstance(text.parts[0], str) and _SCHEME.match(text.parts[0]) is not None


def _check_url(context: Context, node: ast.Constant | ast.JoinedStr, text: Text) -> None:
    address = parse_address(text)
    if address is None or address.scheme in _NO_NETWORK:
        return
    whose = classify(address, context.service_hosts, context.outside_hosts)
    if address.host is not None and whose in _HARD_CODED:
        context.report("MS401", node, text.spelled)
    elif address.host is None and address.port is not None:
        context.report("MS403", node, str(address.port))


def _check_host(context: Context, node: ast.Constant, place: NamedPlace) -> None:
    value = str(node.value)
    match = _HOST_PORT.fullmatch(value)
    host = match["host"] if match else value
    last = (words(place.name) or [""])[-1]
    if last not in _HOST_WORDS or not _HOST.fullmatch(host) or place.is_given:
        return
    if match is None and not _looks_like_host(host, place):
        return
    whose = classify_host(host.lower(), context.service_hosts, context.outside_hosts)
    if whose in _HARD_CODED and not (place.is_parameter and whose is Whose.LOCAL):
        context.report("MS402", node, value)


def _looks_like_host(host: str, place: NamedPlace) -> bool:
    """Take a single word for a host only where the name says `host`; `server="nginx"` or `node="end"` are none."""
    if place.is_listed:  # `address=("10.0.0.5", 514)`, but no list of words
        return host[:1].isdigit() and _is_number_or_inside(host)
    if host == "localhost" or "." in host:
        return host == "localhost" or _is_number_or_inside(host)
    says_host = {"host", "hostname", "hosts", "addr", "address"} & set(words(place.name))
    return bool(says_host) and host.islower() and host not in _NO_HOSTS


def _is_number_or_inside(host: str) -> bool:
    return classify_host(host) in _HARD_CODED


def _check_port_in_text(context: Context, node: ast.JoinedStr) -> None:
    """`f"{host}:8000/items"`."""
    if len(node.values) < 2 or not isinstance(node.values[0], ast.FormattedValue):
        return
    second = node.values[1]
    match = _PORT_IN_TEXT.match(str(second.value)) if isinstance(second, ast.Constant) else None
    is_end = match is not None and len(node.values) == 2 and match.end() == len(str(second.value))  # type: ignore[attr-defined]  # Constant
    if match and (is_end or match["path"]) and _names_a_host(node.values[0]):
        context.report("MS403", node, match["port"])


def _names_a_host(node: ast.FormattedValue) -> bool:
    name = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
    return not _HOST_NAMES.isdisjoint(words(name))


def _on_number(context: Context, node: ast.Constant, scope: Scope) -> None:
    if not isinstance(node.value, int) or not 0 < node.value < 65536:
        return
    place = named_place(context, node, scope)
    parts = words(place.name)
    if (
        not parts
        or parts[-1] != "port"
        or _BOUNDS & {*parts}
        or node.value == _LAST_PORT
        or place.is_harmless
        or place.is_setting
        or place.is_parameter
        or place.is_default
    ):
        return
    if place.is_assigned and place.name in context.fact("default ports", _default_ports):
        return
    context.report("MS403", node, str(node.value))


def _default_ports(context: Context) -> set[str]:
    """Return the constants that are the default port of a `BaseGrpcClient`, as in the guide."""
    found: set[str] = set()
    for node, _ in context.module.calls:
        is_super = isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"
        named = [part.value for part in node.keywords if part.arg == "default_port"]
        given = [*node.args[1:2], *named] if is_super or named else []
        found.update(part.id for part in given if isinstance(part, ast.Name))
    return found


def _on_call(context: Context, call: Call) -> None:
    if call.name in _CONNECTS:
        host, port = _CONNECTS[call.name]
        _check_positional(context, call, host, port)
    elif call.name == "socket.create_connection" or call.method in ("connect", "connect_ex", "bind", "sendto"):
        _check_pair(context, call)
    elif call.method in ("add_insecure_port", "add_secure_port"):
        _check_listener(context, call)


def _check_positional(context: Context, call: Call, host: int | None, port: int | None) -> None:
    if host is not None and host < len(call.node.args):
        _check_given_host(context, call, call.node.args[host])
    if port is not None and port < len(call.node.args):
        given = call.node.args[port]
        if isinstance(given, ast.Constant) and isinstance(given.value, int) and given.value > 0:
            context.report("MS403", given, str(given.value))


def _check_given_host(context: Context, call: Call, node: ast.expr) -> None:
    if not isinstance(node, ast.Constant | ast.JoinedStr):
        return
    text = context.evaluator.text(node, call.scope)
    if text is None or _SCHEME.match(text.shape):
        return
    address = parse_address(Text(("tcp://", *text.parts)))
    if address is None:
        return
    if address.host and classify_host(address.host, context.service_hosts, context.outside_hosts) in _HARD_CODED:
        context.report("MS402", node, text.spelled)
    elif address.host is None and address.port:
        context.report("MS403", node, str(address.port))


def _check_pair(context: Context, call: Call) -> None:
    """`socket.connect((host, port))`."""
    given = (call.node.args[-1] if call.method == "sendto" else call.node.args[0]) if call.node.args else None
    if isinstance(given, ast.Tuple) and len(given.elts) == 2:
        host, port = given.elts
        if call.method != "bind":
            _check_given_host(context, call, host)
        if isinstance(port, ast.Constant) and isinstance(port.value, int) and port.value > 0:
            context.report("MS403", port, str(port.value))


def _check_listener(context: Context, call: Call) -> None:
    given = argument(call.node, 0, "address")
    text = context.evaluator.text(given, call.scope)
    found = re.search(r":([1-9]\d{1,4})$", text.shape) if text is not None else None
    if found and given is not None:
        context.report("MS403", given, found[1])


HANDLERS = {"text": _on_text, "number": _on_number, "call": _on_call}
