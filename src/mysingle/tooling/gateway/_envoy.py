"""The configuration of Envoy (API v3), as values."""

from ipaddress import ip_address
from typing import Any

from mysingle._kernel import propagation
from mysingle.tooling.gateway import _envoy_replies as replies
from mysingle.tooling.gateway._envoy_replies import extension
from mysingle.tooling.gateway._lua import envoy_program
from mysingle.tooling.gateway._names import CLEARED
from mysingle.tooling.gateway._pem import to_jwk
from mysingle.tooling.gateway.model import Endpoint, Gateway, Mtls, Service

__all__ = ["envoy_config", "envoy_lacks", "envoy_notes"]

_ADMIN_PORT = 9901
_PROVIDER = "iam"
_JWKS_CLUSTER = "iam-jwks"
_SKEW_SECONDS = 30
_MAX_TOKEN_SECONDS = 3600
_MAX_HEADERS = 75  # services accept 100, and the gateway adds some
_MAX_HEADER_KB = 32
_MAX_CONNECTIONS = 10_000
_HTTP = "envoy.extensions.filters.http"
_FILTER_JWT = "envoy.filters.http.jwt_authn"
_FILTER_LUA = "envoy.filters.http.lua"


def envoy_config(gateway: Gateway) -> dict[str, Any]:
    """
    Return the configuration: one listener, a cluster for each service, and an admin interface on the loopback.

    Every route needs a token unless it says that it is public; identity headers of the client are removed before
    anything else happens.
    """
    return {
        "admin": {"address": _address("127.0.0.1", _ADMIN_PORT)},
        "static_resources": {"listeners": [_listener(gateway)], "clusters": _clusters(gateway)},
        "overload_manager": _overload(),
    }


def envoy_notes(gateway: Gateway) -> tuple[str, ...]:
    """Return what else has to be done, as lines of text."""
    return tuple(
        f"Envoy reads the key that signs for {', '.join(names)} from its variable {key.removeprefix('env:')}; "
        "without it it does not start."
        for key, names in gateway.signing.items()
    )


def envoy_lacks(gateway: Gateway) -> str | None:
    """Return what the file must say for Envoy and does not; None when nothing is missing."""
    for key, names in gateway.signing.items():
        if not key.startswith("env:"):
            return f"Envoy reads the key for {', '.join(names)} from a variable; hmac_key must be env:NAME"
    for service in gateway.services:
        if service.mtls and service.mtls.certificate is None:
            return f"mtls of {service.name} has no certificate and key, the paths of two PEM files beside Envoy"
    return None


def _listener(gateway: Gateway) -> dict[str, Any]:
    host, _, port = gateway.listen.rpartition(":")
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        _manager(gateway),
    )
    return {
        "name": "gateway",
        "address": _address(host.strip("[]"), int(port)),
        "per_connection_buffer_limit_bytes": 32_768,
        "filter_chains": [{"filters": [manager]}],
    }


def _manager(gateway: Gateway) -> dict[str, Any]:
    return {
        "stat_prefix": "gateway",
        "use_remote_address": True,
        "xff_num_trusted_hops": gateway.trusted_hops,
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "max_request_headers_kb": _MAX_HEADER_KB,
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "300s",
        "common_http_protocol_options": {
            "idle_timeout": "60s",
            "max_headers_count": _MAX_HEADERS,
            # Look-alikes: some servers read `x_user_id` as `X-User-Id`.
            "headers_with_underscores_action": "DROP_HEADER",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576,
        },
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "early_header_mutation_extensions": [_clearing()],
        "access_log": [replies.access_log()],
        "local_reply_config": replies.local_replies(),
        "route_config": {
            "name": "services",
            "virtual_hosts": [{"name": "services", "domains": ["*"], "routes": _routes(gateway)}],
        },
        "http_filters": [_correlation(), _jwt(gateway), _lua(gateway), _router()],
    }


def _clearing() -> dict[str, Any]:
    return extension(
        "envoy.http.early_header_mutation.header_mutation",
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        {"mutations": [{"remove": name} for name in CLEARED]},
    )


def _correlation() -> dict[str, Any]:
    """Name requests that have no correlation id, and tell the caller which one it was."""
    name = propagation.HEADER_X_CORRELATION_ID

    def append(source: str) -> dict[str, Any]:
        header = {"key": name, "value": f"%REQ({source})%"}
        return {"append": {"header": header, "append_action": "ADD_IF_ABSENT"}}

    mutations = {
        "request_mutations": [append(propagation.HEADER_REQUEST_ID)],
        "response_mutations": [append(name)],
    }
    return extension("correlation", f"{_HTTP}.header_mutation.v3.HeaderMutation", {"mutations": mutations})


def _jwt(gateway: Gateway) -> dict[str, Any]:
    provider = {
        "issuer": gateway.issuer,
        "audiences": [gateway.audience],
        "forward": True,
        # Given explicitly, because the default takes tokens from the query string too.
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "clock_skew_seconds": _SKEW_SECONDS,
        "require_expiration": True,
        "max_lifetime": f"{_MAX_TOKEN_SECONDS}s",
        "payload_in_metadata": "claims",
        "header_in_metadata": "header",
        "jwt_cache_config": {"jwt_cache_size": 1000, "jwt_max_token_size": 8192},
        **_keys(gateway),
    }
    config = {
        "providers": {_PROVIDER: provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": _PROVIDER}}],
        # A preflight has no token; it reaches the service without a caller.
        "bypass_cors_preflight": True,
    }
    return extension(_FILTER_JWT, f"{_HTTP}.jwt_authn.v3.JwtAuthentication", config)


def _keys(gateway: Gateway) -> dict[str, Any]:
    if gateway.jwks_url is None:
        keys = [
            {"kid": key.kid, "alg": key.algorithm, "use": "sig", **to_jwk(key.pem, key.algorithm)}
            for key in gateway.keys
        ]
        return {"local_jwks": {"inline_string": replies.compact({"keys": keys})}}
    return {
        "remote_jwks": {
            "http_uri": {"uri": gateway.jwks_url, "cluster": _JWKS_CLUSTER, "timeout": "5s"},
            "cache_duration": "300s",
            "async_fetch": {"fast_listener": False, "failed_refetch_duration": "1s"},
        }
    }


def _lua(gateway: Gateway) -> dict[str, Any]:
    source = {"default_source_code": {"inline_string": envoy_program(gateway)}}
    return extension(_FILTER_LUA, f"{_HTTP}.lua.v3.Lua", source)


def _router() -> dict[str, Any]:
    return extension("envoy.filters.http.router", f"{_HTTP}.router.v3.Router", {})


def _routes(gateway: Gateway) -> list[dict[str, Any]]:
    """List the routes, the longest path first; Envoy takes the first that matches."""
    found = [
        (path, is_public, service)
        for service in gateway.services
        for is_public, paths in ((True, service.public_paths), (False, service.paths))
        for path in paths
    ]
    ordered = sorted(found, key=lambda item: (-len(item[0].removesuffix("/*")), item[0]))
    return [_route(path, service, is_public=is_public) for path, is_public, service in ordered]


def _route(path: str, service: Service, *, is_public: bool) -> dict[str, Any]:
    route: dict[str, Any] = {
        "match": _match(path, is_public=is_public),
        "route": {
            "cluster": service.name,
            "timeout": f"{service.timeout_seconds}s",
            # A request that reached the service must not be sent again: its signature is used up.
            "retry_policy": {"retry_on": "connect-failure,refused-stream", "num_retries": 1},
        },
        "metadata": {"filter_metadata": {_FILTER_LUA: {"service": service.name}}},
    }
    if is_public:
        disabled = {"@type": f"type.googleapis.com/{_HTTP}.jwt_authn.v3.PerRouteConfig", "disabled": True}
        route["typed_per_filter_config"] = {_FILTER_JWT: disabled}
    return route


def _match(path: str, *, is_public: bool) -> dict[str, str]:
    if is_public and not path.endswith("/*"):
        return {"path": path}
    return {"prefix": "/"} if path == "/" else {"path_separated_prefix": path.removesuffix("/*")}


def _clusters(gateway: Gateway) -> list[dict[str, Any]]:
    clusters = [_cluster(gateway, service.name, service.endpoint, service.mtls) for service in gateway.services]
    if gateway.jwks_url is not None:
        clusters.append(_cluster(gateway, _JWKS_CLUSTER, Endpoint.of(gateway.jwks_url), None))
    return clusters


def _cluster(gateway: Gateway, name: str, endpoint: Endpoint, mtls: Mtls | None) -> dict[str, Any]:
    address = {"endpoint": {"address": _address(endpoint.host, endpoint.port)}}
    return {
        "name": name,
        "type": "STATIC" if _is_ip(endpoint.host) else "STRICT_DNS",
        "connect_timeout": "2s",
        "per_connection_buffer_limit_bytes": 32_768,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [address]}]},
        **({"transport_socket": _tls(gateway, endpoint.host, mtls)} if endpoint.is_secure else {}),
    }


def _tls(gateway: Gateway, host: str, mtls: Mtls | None) -> dict[str, Any]:
    own = {"certificate_chain": {"filename": mtls.certificate}, "private_key": {"filename": mtls.key}} if mtls else None
    subject = {"san_type": "IP_ADDRESS" if _is_ip(host) else "DNS", "matcher": {"exact": host}}
    common = {
        "validation_context": {
            "trusted_ca": {"filename": gateway.ca_file},
            "match_typed_subject_alt_names": [subject],
        },
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        **({"tls_certificates": [own]} if own else {}),
    }
    names = {} if _is_ip(host) else {"sni": host}
    context = {"common_tls_context": common, **names}
    return extension(
        "envoy.transport_sockets.tls", "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", context
    )


def _overload() -> dict[str, Any]:
    """Bound the connections of clients, so that a flood does not use up the file descriptors."""
    monitor = extension(
        "envoy.resource_monitors.global_downstream_max_connections",
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        {"max_active_downstream_connections": _MAX_CONNECTIONS},
    )
    return {"resource_monitors": [monitor]}


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
