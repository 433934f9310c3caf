"""What stands behind the gateway: the services, and how their callers prove who they are."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from mysingle._kernel.jwks import KeySetError
from mysingle.tooling.gateway._document import Document, read_document
from mysingle.tooling.gateway._fields import Fields
from mysingle.tooling.gateway._pem import to_jwk
from mysingle.tooling.gateway.errors import GatewayFileError
from mysingle.tooling.gateway.keys import ALGORITHMS, SigningKey, load_keys

__all__ = ["Endpoint", "Gateway", "Mtls", "Service", "read_gateway"]

_NAME = r"[a-z][a-z0-9-]{0,62}"
_PORT = r":(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST = rf"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{{0,252}})|\[[0-9A-Fa-f:.]+\])(?:{_PORT})?"
_LOOPBACK = rf"(?:localhost|127(?:\.[0-9]{{1,3}}){{3}}|\[::1\])(?:{_PORT})?"
_JWKS_URL = rf"(?:https://{_HOST}|http://{_LOOPBACK})/[\x21-\x7e]*"
_SEGMENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+"
_PATH = rf"/|(?:/{_SEGMENT})+"
_PUBLIC_PATH = rf"(?:/{_SEGMENT})+(?:/\*)?"
_HMAC_KEY = r"env:[A-Z_][A-Z0-9_]*|\{vault://[A-Za-z0-9/_?=&.-]+\}"
_LISTEN = rf"(?:[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}|\[[0-9A-Fa-f:]+\]){_PORT}"
_ALGORITHM = "|".join(ALGORITHMS)
_LOCAL_PATH = r"[^\x00-\x1f]+"
_LOCAL_PATH_FORM = "a path, from the folder of this file"
_VISIBLE = r"[\x21-\x7e]{1,255}"


class Endpoint(NamedTuple):
    """Where something listens, and whether it speaks TLS there."""

    host: str
    port: int
    is_secure: bool

    @classmethod
    def of(cls, url: str) -> "Endpoint":
        """Return where a URL leads to."""
        parts = urlsplit(url)
        is_secure = parts.scheme == "https"
        return cls(parts.hostname or "", parts.port or (443 if is_secure else 80), is_secure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mtls:
    """The gateway's client certificate: for Kong the id of a certificate entity, for Envoy files beside Envoy."""

    certificate_id: str | None
    certificate: str | None
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """
    A service behind the gateway.

    `name` is its `service_name`, which the gateway signs. `paths` need a token and hold everything below them;
    `public_paths` need none, and are exact unless they end in `/*`. `hmac_key` says where the key is that signs what
    the service gets, as that of the gateway does; a service without its own has the gateway's.
    """

    name: str
    url: str
    paths: tuple[str, ...]
    public_paths: tuple[str, ...]
    timeout_seconds: int
    hmac_key: str
    mtls: Mtls | None

    @property
    def endpoint(self) -> "Endpoint":
        """Where the service listens."""
        return Endpoint.of(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """
    One gateway: whose tokens it believes, what it signs with, and the services behind it.

    `hmac_key` says where the key is, `env:NAME` or a Kong vault reference, never the key itself.
    """

    issuer: str
    audience: str
    jwks_url: str | None
    keys: tuple[SigningKey, ...]
    hmac_key: str
    listen: str
    trusted_hops: int
    ca_file: str
    services: tuple[Service, ...]

    @property
    def signing(self) -> dict[str, tuple[str, ...]]:
        """Where each key is that signs → the services that it signs for; services without callers need none."""
        signed = [service for service in self.services if service.paths]
        return {
            key: tuple(service.name for service in signed if service.hmac_key == key)
            for key in dict.fromkeys(service.hmac_key for service in signed)
        }


def read_gateway(file: Path, keys: tuple[SigningKey, ...] = ()) -> Gateway:
    """
    Read a list of services.

    Args:
        file: YAML or JSON.
        keys: what tokens are verified with, instead of what the file says; see `read_keys` and `fetch_keys`.

    Raises:
        GatewayFileError: the file cannot be used; the message names file, line, place and what would be accepted.
    """
    document = read_document(file)
    top = Fields(document)
    top.allow(
        *("issuer", "audience", "jwks_url", "keys", "keys_file", "hmac_key", "listen", "trusted_hops", "ca_file"),
        "services",
    )
    hmac_key = top.text("hmac_key", _HMAC_KEY, _HMAC_KEY_FORM, "env:GATEWAY_HMAC_KEY")
    gateway = Gateway(
        issuer=top.text("issuer", _VISIBLE, "the IAM_ISSUER of the services, such as https://iam.example.com"),
        audience=top.text("audience", _VISIBLE, "the IAM_AUDIENCE of the services", "mysingle"),
        jwks_url=top.optional_text(
            "jwks_url", _JWKS_URL, "a URL that begins with https://, or http:// on the loopback"
        ),
        keys=_keys(top),
        hmac_key=hmac_key,
        listen=top.text("listen", _LISTEN, "an address and a port, such as 0.0.0.0:8080", "0.0.0.0:8080"),
        trusted_hops=top.number("trusted_hops", 0, 10, 0),
        ca_file=top.text("ca_file", _VISIBLE, "a path of a PEM file", "/etc/ssl/certs/ca-certificates.crt"),
        services=tuple(_service(fields, hmac_key) for fields in top.mappings("services", "a list of services")),
    )
    if keys:
        gateway = replace(gateway, keys=keys, jwks_url=None)
    _check(gateway, document)
    return gateway


_HMAC_KEY_FORM = "env:NAME of a variable, or a vault reference of Kong; the key itself does not belong here"


def _keys(top: Fields) -> tuple[SigningKey, ...]:
    if "keys_file" not in top:
        accepted = "a list of keys, each with kid, algorithm and pem"
        return tuple(_key(fields) for fields in top.mappings("keys", accepted))
    if "keys" in top:
        raise top.document.error(("keys_file",), "keys and keys_file exclude each other; give one of them")
    name = top.text("keys_file", _LOCAL_PATH, f"{_LOCAL_PATH_FORM}, of a JWKS file")
    try:
        return load_keys(top.document.file.parent / name)
    except KeySetError as error:
        raise top.document.error(("keys_file",), f"{name} cannot be used: {error}") from error


def _key(fields: Fields) -> SigningKey:
    fields.allow("kid", "algorithm", "pem", "pem_file")
    algorithm = fields.text("algorithm", _ALGORITHM, "ES256, RS256 or EdDSA")
    place = "pem_file" if "pem_file" in fields else "pem"
    if place == "pem":
        pem = fields.text("pem", r"(?s).*", "a public key in PEM, or pem_file with its path")
    else:
        pem = _file(fields, fields.text("pem_file", _LOCAL_PATH, _LOCAL_PATH_FORM))
    try:
        to_jwk(pem, algorithm)
    except ValueError as error:
        raise fields.document.error((*fields.path, place), str(error)) from error
    return SigningKey(kid=fields.text("kid", _VISIBLE, "the kid of the key"), algorithm=algorithm, pem=_tidy(pem))


def _file(fields: Fields, name: str) -> str:
    path = fields.document.file.parent / name
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise fields.document.error((*fields.path, "pem_file"), f"{path} cannot be read as PEM") from error


def _tidy(pem: str) -> str:
    return "".join(f"{line.strip()}\n" for line in pem.splitlines() if line.strip())


def _service(fields: Fields, hmac_key: str) -> Service:
    fields.allow("name", "url", "paths", "public_paths", "timeout_seconds", "hmac_key", "mtls")
    service = Service(
        name=fields.text("name", _NAME, "the service_name: lower-case letters, digits and hyphens"),
        url=fields.text("url", rf"https?://{_HOST}/?", "http://host:port or https://host:port, without a path").rstrip(
            "/"
        ),
        paths=fields.texts("paths", _PATH, "a path such as /api/v1/strategies, without / at its end"),
        public_paths=fields.texts("public_paths", _PUBLIC_PATH, "a path such as /docs, or /docs/* with all below it"),
        timeout_seconds=fields.number("timeout_seconds", 1, 3600, 60),
        hmac_key=fields.text("hmac_key", _HMAC_KEY, _HMAC_KEY_FORM, hmac_key),
        mtls=_mtls(fields.mapping("mtls")),
    )
    if not service.paths and not service.public_paths:
        raise fields.document.error(fields.path, "the service has neither paths nor public_paths; give it one of them")
    if service.mtls and not service.endpoint.is_secure:
        raise fields.document.error(
            (*fields.path, "mtls"), "a client certificate needs a url that begins with https://"
        )
    return service


def _mtls(fields: Fields | None) -> Mtls | None:
    if fields is None:
        return None
    fields.allow("certificate_id", "certificate", "key")
    made = Mtls(
        certificate_id=fields.optional_text("certificate_id", r"[0-9a-fA-F-]{36}", "the UUID of a Kong certificate"),
        certificate=fields.optional_text("certificate", _VISIBLE, "a path of a PEM file"),
        key=fields.optional_text("key", _VISIBLE, "a path of a PEM file"),
    )
    if (made.certificate is None) != (made.key is None):
        raise fields.document.error(fields.path, "certificate and key belong together; give both")
    return made


_NO_KEYS = "nothing verifies the tokens; give jwks_url, or keys with kid, algorithm and pem, or keys_file"


def _check(gateway: Gateway, document: Document) -> None:
    """Look at what no single member can say: what is there twice, and what hides what."""
    if not gateway.services:
        raise document.error(("services",), "there is no service; give at least one, with name, url and paths")
    if not gateway.keys and gateway.jwks_url is None:
        raise document.error((), _NO_KEYS)
    for error in (*_repeated(gateway, document), *_hidden(gateway, document)):
        raise error


def _repeated(gateway: Gateway, document: Document) -> Iterator[GatewayFileError]:
    seen: set[str] = set()
    for index, service in enumerate(gateway.services):
        if service.name in seen:
            yield document.error(("services", index, "name"), f"{service.name!r} is the name of another service too")
        seen.add(service.name)
        for member in ("paths", "public_paths"):
            for at, path in enumerate(getattr(service, member)):
                if path in seen:
                    yield document.error(("services", index, member, at), f"{path!r} stands in this file twice")
                seen.add(path)
    kids = [key.kid for key in gateway.keys]
    for index, kid in enumerate(kids):
        if kid in kids[:index]:
            yield document.error(("keys", index, "kid"), f"{kid!r} is the kid of another key too")


def _hidden(gateway: Gateway, document: Document) -> Iterator[GatewayFileError]:
    """Find paths that need a token inside of what is open to everybody: the gateway would ask for none."""
    for service in gateway.services:
        for opened in service.public_paths:
            for index, other in enumerate(gateway.services):
                for at, path in enumerate(other.paths):
                    if _is_inside(path, opened):
                        what = f"{path!r} lies inside of the public path {opened!r}, so nobody would need a token"
                        yield document.error(("services", index, "paths", at), what)


def _is_inside(path: str, opened: str) -> bool:
    prefix = opened.removesuffix("/*")
    return path == prefix or (opened.endswith("/*") and path.startswith(f"{prefix}/"))
