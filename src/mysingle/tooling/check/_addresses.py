"""Whose address a text is: another service's, the gateway's, the infrastructure's, somebody outside's."""

import ipaddress
import re
from collections.abc import Sequence
from enum import Enum
from fnmatch import fnmatch
from typing import NamedTuple

from mysingle.tooling.check._values import HOLE, Hole, Text

__all__ = ["ADDRESS_WORDS", "Address", "Whose", "classify", "classify_host", "parse_address", "words"]


class Whose(Enum):
    """Whom an address belongs to."""

    SERVICE = "service"
    LOCAL = "local"
    GATEWAY = "gateway"
    INFRASTRUCTURE = "infrastructure"
    OUTSIDE = "outside"
    EXAMPLE = "example"
    UNKNOWN = "unknown"


class Address(NamedTuple):
    """A parsed URL; `host` is None when it is a hole, which `host_hole` names."""

    scheme: str
    host: str | None
    host_hole: Hole | None
    port: int | None
    has_password: bool


_URL = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*|\0):/{1,3}(?P<login>[^@/?#\s]*@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^/:?#\s,]*)"
    r"(?::(?P<port>\d+|\0))?(?=[/?#,\0]|$)"
)
_FIELD = re.compile(r"\{(\w*)\}|%(?:\((\w+)\))?s")
_NAME = re.compile(r"[a-z0-9._\x80-\U0010ffff-]*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_GATEWAY = frozenset(["gateway", "kong", "envoy", "apigateway", "ingress", "traefik", "apisix", "edge", "gw"])
_INFRASTRUCTURE = frozenset(
    [
        "mongo",
        "mongodb",
        "redis",
        "valkey",
        "postgres",
        "postgresql",
        "pg",
        "mysql",
        "mariadb",
        "db",
        "database",
        "kafka",
        "rabbitmq",
        "rabbit",
        "nats",
        "otel",
        "jaeger",
        "prometheus",
        "grafana",
        "loki",
        "tempo",
        "minio",
        "elasticsearch",
        "opensearch",
        "vault",
        "consul",
        "memcached",
        "mail",
        "mailhog",
        "mailpit",
        "smtp",
        "clickhouse",
        "zipkin",
        "pushgateway",
        "statsd",
        "etcd",
        "zookeeper",
        "ollama",
        "unleash",
        "collector",
        "s3",
        "keycloak",
        "sentinel",
        "broker",
        "qdrant",
        "influxdb",
        "timescaledb",
        "proxy",
    ]
)
_CLUSTER = ("svc", "local", "internal", "lan", "cluster", "consul", "intranet", "corp", "docker", "mesh", "localdomain")
_EXAMPLE = ("test", "testserver", "example", "invalid", "example.com", "example.org", "example.net", "base")
ADDRESS_WORDS = frozenset(
    [
        "url",
        "uri",
        "host",
        "hostname",
        "addr",
        "address",
        "endpoint",
        "base",
        "target",
        "api",
        "origin",
        "root",
        "server",
        "http",
    ]
)
_SERVICE_WORDS = frozenset(["service", "svc", "microservice", "services"])
_PLATFORM = frozenset(
    [
        "iam",
        "strategy",
        "strategies",
        "backtest",
        "indicator",
        "notification",
        "ml",
        "genai",
        "subscription",
        "marketdata",
    ]
)
_VENDORS = frozenset(
    [
        "stripe",
        "polygon",
        "openai",
        "slack",
        "google",
        "kakao",
        "naver",
        "binance",
        "alpaca",
        "twilio",
        "sendgrid",
        "aws",
        "github",
        "telegram",
        "discord",
        "anthropic",
        "oanda",
        "upbit",
        "bybit",
        "finnhub",
        "tiingo",
        "coinbase",
        "azure",
        "sentry",
        "datadog",
        "external",
        "public",
        "webhook",
        "vendor",
        "provider",
        "third",
        "party",
        "upstream",
        "callback",
        "redirect",
        "oauth",
        "oidc",
        "docs",
        "frontend",
        "web",
        "cdn",
        "image",
    ]
)


def words(name: str) -> list[str]:
    """Split an identifier into its words, in lower case."""
    return [word.lower() for word in _WORD.findall(name)]


def parse_address(text: Text) -> Address | None:
    """Read a text as a URL; None when it is none. A text that begins with a hole and a path counts as one."""
    shape = text.shape
    if not shape or " " in shape.strip():
        return None
    match = _URL.match(shape)
    if match is None:
        return _from_hole(text, shape)
    host = match["host"].strip("[]")
    holes = text.holes
    hole = holes[shape[: match.start("host")].count(HOLE)] if host == HOLE else _field(host)
    port = match["port"]
    has_port = port is not None and port != HOLE
    login = match["login"] or ""
    return Address(
        "" if match["scheme"] == HOLE else match["scheme"].lower(),
        None if hole is not None else host.replace(HOLE, "x").lower(),
        hole,
        int(port) if has_port else None,
        ":" in login and not login.endswith(":@") and HOLE not in login.partition(":")[2],
    )


def _field(host: str) -> Hole | None:
    """Return the place in a text that is filled elsewhere: `"http://{host}:8000"`, `"http://%s:8000"`."""
    found = _FIELD.fullmatch(host)
    return Hole(found[1] or found[2] or "") if found else None


def _from_hole(text: Text, shape: str) -> Address | None:
    if not shape.startswith(HOLE) or not isinstance(text.parts[0], Hole):
        return None
    rest = shape[1:]
    port = re.match(r":(\d{2,5})(?=[/?#]|$)", rest)
    if rest and not rest.startswith(("/", "?", HOLE)) and port is None:
        return None
    return Address("", None, text.parts[0], int(port[1]) if port else None, False)


def classify(address: Address, service_hosts: Sequence[str] = (), outside_hosts: Sequence[str] = ()) -> Whose:
    """Tell whose an address is."""
    if address.host is not None:
        return classify_host(address.host, service_hosts, outside_hosts)
    hole = address.host_hole
    return _classify_name(f"{hole.origin} {hole.name}") if hole is not None else Whose.UNKNOWN


def classify_host(host: str, service_hosts: Sequence[str] = (), outside_hosts: Sequence[str] = ()) -> Whose:
    """Tell whose a host is; the two lists of patterns come first."""
    if any(fnmatch(host, pattern) for pattern in service_hosts):
        return Whose.SERVICE
    if not host or any(fnmatch(host, pattern) for pattern in outside_hosts):
        return Whose.OUTSIDE
    if host == "localhost" or host.endswith(".localhost"):
        return Whose.LOCAL
    if host in _EXAMPLE or host.endswith(tuple(f".{name}" for name in _EXAMPLE)):
        return Whose.EXAMPLE
    number = _classify_number(host)
    if number is None and not _NAME.fullmatch(host):  # a pattern, or something that is no address
        return Whose.UNKNOWN
    return number or _classify_name_of_host(host)


def _classify_number(host: str) -> Whose | None:
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return None
    if number.is_unspecified or number.is_link_local:  # where a server listens; the metadata of a cloud
        return Whose.UNKNOWN
    return Whose.LOCAL if number.is_loopback else Whose.SERVICE


def _classify_name_of_host(host: str) -> Whose:
    labels = host.rstrip(".").split(".")
    is_inside = len(labels) == 1 or labels[-1] in _CLUSTER or "svc" in labels
    found = set(words(labels[0]))
    if not is_inside:
        return Whose.SERVICE if labels[0].endswith(("-service", "-svc")) else Whose.OUTSIDE
    if found & _GATEWAY:
        return Whose.GATEWAY
    if found & _INFRASTRUCTURE and not found & _SERVICE_WORDS:
        return Whose.INFRASTRUCTURE
    return Whose.SERVICE


def _classify_name(name: str) -> Whose:
    """Tell from the name of a setting or variable whose address it holds."""
    parts = words(name)
    found = set(parts)
    if found & _GATEWAY:
        return Whose.GATEWAY
    if found & _VENDORS:
        return Whose.OUTSIDE
    if found & _SERVICE_WORDS:
        return Whose.SERVICE
    is_platform = bool(found & _PLATFORM) or ("market" in found and "data" in found)
    if is_platform and found & ADDRESS_WORDS:
        return Whose.SERVICE
    return Whose.UNKNOWN
