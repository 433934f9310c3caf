"""The declarative configuration of Kong."""

from collections.abc import Mapping
from typing import Any

from mysingle._kernel import propagation
from mysingle.tooling.gateway._lua import clear_program, kong_program
from mysingle.tooling.gateway.model import Gateway, Service

__all__ = ["KONG_CONF", "kong_config", "kong_lacks", "kong_notes"]

KONG_CONF: Mapping[str, tuple[str, str]] = {
    "trusted_ips": ("<the addresses of your load balancers, and no others>", "who may name the client's address"),
    "nginx_proxy_large_client_header_buffers": ("4 8k", "a bound for the size of headers"),
    "nginx_http_max_headers": ("75", "a bound for their number, so that services get at most 100; from Kong 3.9.3 on"),
    "nginx_proxy_underscores_in_headers": ("off", "drops look-alikes such as x_user_id"),
    "untrusted_lua_sandbox_requires": ("cjson.safe,resty.openssl.mac", "Kong 3.9 only; newer ones allow both"),
}
"""What the declarative file cannot say, and kong.conf must: name, value, and why."""

_ESCAPED_DOT = r"\."
_CONSUMER = "mysingle-iam"
_MAX_TOKEN_SECONDS = 3600
_CONNECT_MILLISECONDS = 5_000


def kong_config(gateway: Gateway) -> dict[str, Any]:
    """
    Return the declarative configuration.

    A service becomes two: one whose routes need a token, under its own name, which is signed, and one for its public
    paths. So a route that somebody adds later to the first needs a token too, and any other route is at least cleared.
    """
    services = [made for service in gateway.services for made in _services(gateway, service)]
    needs_tokens = any(service.paths for service in gateway.services)
    return {
        "_format_version": "3.0",
        "services": services,
        "plugins": [_correlation_plugin(), _program_plugin(clear_program())],
        **({"consumers": [_consumer(gateway)]} if needs_tokens else {}),
    }


def kong_notes(gateway: Gateway) -> tuple[str, ...]:
    """Return what else has to be done, as lines of text; the linter reads those about kong.conf."""
    conf = (f"kong.conf: {name} = {value}  # {why}" for name, (value, why) in KONG_CONF.items())
    keys = (
        f"The key that signs for {', '.join(names)}: {key}; there it stands in GATEWAY_HMAC_KEYS."
        for key, names in gateway.signing.items()
    )
    return (*conf, *keys)


def kong_lacks(gateway: Gateway) -> str | None:
    """Return what the file must say for Kong and does not; None when nothing is missing."""
    if not gateway.keys and any(service.paths for service in gateway.services):
        return "Kong does not fetch keys; give `keys` or keys_file, or --keys or --fetch on the command line"
    for service in gateway.services:
        if service.mtls and service.mtls.certificate_id is None:
            return f"mtls of {service.name} has no certificate_id, the UUID of a certificate that Kong has"
    return None


def _services(gateway: Gateway, service: Service) -> list[dict[str, Any]]:
    made = []
    if service.paths:
        plugins = [_jwt_plugin(), _program_plugin(kong_program(gateway, _vault_reference(service.hmac_key)))]
        made.append(_service(service, service.name, service.paths, plugins))
    if service.public_paths:
        plugins = [_program_plugin(clear_program())]
        made.append(_service(service, f"{service.name}-public", service.public_paths, plugins))
    return made


def _service(service: Service, name: str, paths: tuple[str, ...], plugins: list[dict[str, Any]]) -> dict[str, Any]:
    milliseconds = service.timeout_seconds * 1000
    is_public = paths is service.public_paths
    return {
        "name": name,
        "url": service.url,
        # A request that was signed must not be sent twice: the second one is a replay.
        "retries": 0,
        "connect_timeout": _CONNECT_MILLISECONDS,
        "read_timeout": milliseconds,
        "write_timeout": milliseconds,
        **_tls(service),
        "routes": [_route(f"{name}-{index}", path, is_public=is_public) for index, path in enumerate(paths, 1)],
        "plugins": plugins,
    }


def _tls(service: Service) -> dict[str, Any]:
    if not service.endpoint.is_secure:
        return {}
    identifier = service.mtls.certificate_id if service.mtls else None
    return {"tls_verify": True, **({"client_certificate": {"id": identifier}} if identifier else {})}


def _route(name: str, path: str, *, is_public: bool) -> dict[str, Any]:
    """
    Return the route of one path.

    Plain paths of Kong would match `/orders` for `/order` too, so whole segments are matched by expressions, the
    longest path first.
    """
    is_exact = is_public and not path.endswith("/*")
    plain = path.removesuffix("/*")
    pattern = f"~{plain.replace('.', _ESCAPED_DOT)}{'$' if is_exact else '(?:/|$)'}"
    where = {"paths": ["/"]} if path == "/" else {"paths": [pattern], "regex_priority": len(plain)}
    return {"name": name, **where, "strip_path": False}


def _jwt_plugin() -> dict[str, Any]:
    return {
        "name": "jwt",
        "config": {
            "key_claim_name": "kid",
            "claims_to_verify": ["exp", "nbf"],
            "maximum_expiration": _MAX_TOKEN_SECONDS,
            "header_names": ["authorization"],
            "uri_param_names": [],
            "cookie_names": [],
            "run_on_preflight": True,
        },
    }


def _program_plugin(program: str) -> dict[str, Any]:
    return {"name": "post-function", "config": {"access": [program]}}


def _correlation_plugin() -> dict[str, Any]:
    return {
        "name": propagation.HEADER_CORRELATION_ID.lower(),  # the plugin is called like the header
        "config": {
            "header_name": propagation.HEADER_X_CORRELATION_ID,
            "generator": "uuid",
            "echo_downstream": True,
        },
    }


def _consumer(gateway: Gateway) -> dict[str, Any]:
    credentials = [
        # Kong wants a secret also where the public key decides.
        {"key": key.kid, "algorithm": key.algorithm, "rsa_public_key": key.pem, "secret": "unused"}
        for key in gateway.keys
    ]
    return {"username": _CONSUMER, "jwt_secrets": credentials}


def _vault_reference(hmac_key: str) -> str:
    """Return where Kong finds the key: `env:GATEWAY_HMAC_KEY` is `{vault://env/gateway-hmac-key}`."""
    variable = hmac_key.removeprefix("env:")
    return hmac_key if variable == hmac_key else f"{{vault://env/{variable.lower().replace('_', '-')}}}"
