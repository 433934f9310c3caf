"""What makes a configuration of Kong unsafe: one function for each rule."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from mysingle._kernel import propagation
from mysingle.tooling.gateway._document import Place
from mysingle.tooling.gateway._kong_view import AUTH_PLUGINS, FUNCTIONS, KongView, Plugin, Route
from mysingle.tooling.gateway._names import CLEARED, SECRET_HEADER, is_identity, plain_name

__all__ = ["CONF_RULES", "RULES", "Hit", "Rule"]

_VOUCHED = tuple(plain_name(name) for name in (*propagation.IDENTITY_HEADERS, *propagation.GATEWAY_HEADERS))
_OTHERS = tuple(name for name in map(plain_name, CLEARED) if name not in (*_VOUCHED, plain_name(SECRET_HEADER)))
_IDENTITY = frozenset(plain_name(name) for name in propagation.IDENTITY_HEADERS)
_SIGNATURE = plain_name(propagation.HEADER_GATEWAY_SIGNATURE)
_NOT_THERE = re.compile(r"\bjwt_claims\b|\bauthenticated_jwt_token\s*(?:\.\s*claims\b|\[\s*[\"']claims)")
_MAX_HEADERS = 100
_OVER_TLS = frozenset({"grpcs", "https", "tls", "wss"})
_EVERYBODY = ("0.0.0.0/0", "::/0")


class Hit(NamedTuple):
    """A place that a rule is about, and what it says there beside its own words."""

    path: Place
    about: str = ""


class Rule(NamedTuple):
    """Why a construct is unsafe, what to do instead, and where it is."""

    why: str
    fix: str
    find: Callable[[KongView], Iterator[Hit]]


def _programs(view: KongView, *names: str) -> Iterator[tuple[Plugin, str, frozenset[str]]]:
    for plugin in view.plugins:
        if plugin.name in names:
            for program in plugin.programs:
                yield plugin, program.text, program.set


def _sets_early(view: KongView) -> Iterator[Hit]:
    for plugin, text, names in _programs(view, "pre-function"):
        if any(map(is_identity, names)) or "authenticated_jwt_token" in text:
            yield Hit(plugin.path)


def _reads_claims_that_are_not_there(view: KongView) -> Iterator[Hit]:
    for plugin, text, _ in _programs(view, *FUNCTIONS):
        if _NOT_THERE.search(text):
            yield Hit(plugin.path)


def _transformer_sets(plugin: Plugin) -> Iterator[str]:
    """Return the identity headers that a request-transformer sets, and does not remove before."""
    removed = {plain_name(name) for name in plugin.texts("remove", "headers")}
    for way in ("add", "replace", "append", "rename"):
        for pair in plugin.texts(way, "headers"):
            parts = pair.split(":", 1)
            name = parts[-1] if way == "rename" else parts[0]
            if is_identity(name) and (way != "add" or plain_name(name) not in removed):
                yield name.strip()


def _transformer_adds(view: KongView) -> Iterator[Hit]:
    for plugin in view.plugins:
        if plugin.name.startswith("request-transformer"):
            names = sorted(set(_transformer_sets(plugin)))
            if names:
                yield Hit(plugin.path, ", ".join(names))


def _cleared_by_program(route: Route) -> set[str]:
    return {name for program in route.programs for name in program.cleared}


def _removed_by_transformer(route: Route) -> set[str]:
    plugins = [plugin for name, plugin in route.plugins.items() if name.startswith("request-transformer")]
    return {plain_name(name) for plugin in plugins for name in plugin.texts("remove", "headers")}


def _left(route: Route) -> tuple[set[str], set[str]]:
    """Return the identity headers that no program clears, and those of them that no transformer removes either."""
    uncleared = set(_VOUCHED) - _cleared_by_program(route)
    return uncleared, uncleared - _removed_by_transformer(route)


def _transformer_removes(view: KongView) -> Iterator[Hit]:
    for route in view.routes:
        uncleared, left = _left(route)
        if uncleared and not left:
            yield Hit(route.path, ", ".join(sorted(uncleared)))


def _identity_left(view: KongView) -> Iterator[Hit]:
    for route in view.routes:
        left = _left(route)[1]
        if left and route.is_authenticated:
            yield Hit(route.path, ", ".join(sorted(left)))


def _open_route(view: KongView) -> Iterator[Hit]:
    for route in view.routes:
        left = _left(route)[1]
        if left and not route.is_authenticated:
            yield Hit(route.path, ", ".join(sorted(left)))


def _others_left(view: KongView) -> Iterator[Hit]:
    for route in view.routes:
        left = set(_OTHERS) - _cleared_by_program(route) - _removed_by_transformer(route)
        if left and not _left(route)[1]:
            yield Hit(route.path, ", ".join(sorted(left)))


def _jwt(view: KongView) -> Iterator[Plugin]:
    return (plugin for plugin in view.plugins if plugin.name == "jwt")


def _claims_not_verified(view: KongView) -> Iterator[Hit]:
    for plugin in _jwt(view):
        if missing := {"exp", "nbf"} - set(plugin.texts("claims_to_verify")):
            yield Hit(plugin.path, ", ".join(sorted(missing)))


def _token_in_url(view: KongView) -> Iterator[Hit]:
    for plugin in _jwt(view):
        if plugin.config.get("uri_param_names") != []:
            yield Hit(plugin.path)


def _preflight(view: KongView) -> Iterator[Hit]:
    for plugin in view.plugins:
        if plugin.name in AUTH_PLUGINS and plugin.config.get("run_on_preflight") is False:
            yield Hit(plugin.path)


def _key_by_issuer(view: KongView) -> Iterator[Hit]:
    for plugin in _jwt(view):
        if plugin.config.get("key_claim_name", "iss") == "iss":
            yield Hit(plugin.path)


def _anonymous(view: KongView) -> Iterator[Hit]:
    for plugin in view.plugins:
        if plugin.name in AUTH_PLUGINS and plugin.config.get("anonymous"):
            yield Hit(plugin.path)


def _groups_hidden(view: KongView) -> Iterator[Hit]:
    for plugin in view.plugins:
        if plugin.name == "acl" and plugin.config.get("hide_groups_header") is True:
            yield Hit(plugin.path)


def _no_proof(view: KongView) -> Iterator[Hit]:
    for route in view.routes:
        names = {name for program in route.programs for name in program.set}
        has_secret = any(
            plain_name(pair.split(":", 1)[0]) == plain_name(SECRET_HEADER)
            for name, plugin in route.plugins.items()
            if name.startswith("request-transformer")
            for pair in plugin.texts("add", "headers")
        )
        has_proof = _SIGNATURE in names or has_secret or bool(route.service.get("client_certificate"))
        if not _IDENTITY.isdisjoint(names) and not has_proof:
            yield Hit(route.path)


def _limited_by_identity(view: KongView) -> Iterator[Hit]:
    for plugin in view.plugins:
        names = plugin.texts("header_name")
        if plugin.name.startswith("rate-limiting") and any(map(is_identity, names)):
            yield Hit(plugin.path, names[0])


def _tls_not_verified(view: KongView) -> Iterator[Hit]:
    for path, service in view.services:
        protocol = str(service.get("url") or service.get("protocol")).partition(":")[0].lower()
        if protocol in _OVER_TLS and service.get("tls_verify") is not True:
            yield Hit(path)


RULES: Mapping[str, Rule] = {
    "identity-in-pre-function": Rule(
        "pre-function (priority 1000000) runs before jwt (1450), so nothing is verified yet when it sets identity",
        "set identity in post-function, which runs last",
        _sets_early,
    ),
    "claims-that-are-not-there": Rule(
        "authenticated_jwt_token is a text without claims, and jwt_claims does not exist; the header is never set",
        "decode the payload of kong.ctx.shared.authenticated_jwt_token yourself, in post-function",
        _reads_claims_that_are_not_there,
    ),
    "transformer-adds-identity": Rule(
        "request-transformer: add keeps a header that the client sent, replace acts only if it sent one",
        "clear the headers in post-function with clear_header, then use set_header",
        _transformer_adds,
    ),
    "transformer-removes-identity": Rule(
        "request-transformer removes among the first 100 headers only; the others reach the service",
        "clear the headers in post-function with clear_header",
        _transformer_removes,
    ),
    "identity-not-cleared": Rule(
        "no plugin of Kong clears these headers, so every logged-in user may send those of somebody else",
        "clear them in post-function with clear_header, before anything else",
        _identity_left,
    ),
    "open-route-not-cleared": Rule(
        "nothing asks who is calling, and nothing clears these headers, so the service gets what the client sends",
        "add a post-function that clears them, to the route or for all routes",
        _open_route,
    ),
    "groups-not-cleared": Rule(
        "these headers are cleared only by the plugin that sets them, so the client's own pass",
        "clear them in post-function with clear_header too",
        _others_left,
    ),
    "claims-not-verified": Rule(
        "the jwt plugin checks exp and nbf only when claims_to_verify names them, so old tokens work for ever",
        "claims_to_verify: [exp, nbf]",
        _claims_not_verified,
    ),
    "token-in-url": Rule(
        "the jwt plugin takes tokens from the query (`?jwt=`) by default, and URLs are logged",
        "uri_param_names: []",
        _token_in_url,
    ),
    "preflight-unauthenticated": Rule(
        "with run_on_preflight: false an OPTIONS request passes before the plugin has cleared anything",
        "run_on_preflight: true",
        _preflight,
    ),
    "key-by-issuer": Rule(
        "the key is found by the claim iss, so keys cannot be rotated, and who has one key speaks for the issuer",
        "key_claim_name: kid, and one jwt_secret for each key",
        _key_by_issuer,
    ),
    "anonymous-consumer": Rule(
        "with an anonymous consumer a request without a valid token goes on, with headers of a consumer",
        "leave anonymous out; give public paths a route of their own",
        _anonymous,
    ),
    "groups-header-hidden": Rule(
        "with hide_groups_header: true acl neither sets nor clears X-Consumer-Groups, so the client's own passes",
        "hide_groups_header: false, or clear the header in post-function and leave acl alone",
        _groups_hidden,
    ),
    "identity-without-proof": Rule(
        "nothing tells the service that the headers come from Kong, so whoever reaches its port is anybody",
        "sign them (X-Gateway-Signature), or give the service a client_certificate and have it ask for one",
        _no_proof,
    ),
    "rate-limit-by-identity": Rule(
        "rate-limiting runs before the header is cleared and set, so the client chooses whose quota it uses",
        "limit_by: credential, consumer or ip",
        _limited_by_identity,
    ),
    "tls-not-verified": Rule(
        "without tls_verify: true anybody between Kong and the service can be the service",
        "tls_verify: true",
        _tls_not_verified,
    ),
}
"""Rule id → what it says and how it finds its places in a declarative file."""


def _max_headers(conf: Mapping[str, str]) -> bool:
    given = conf.get("nginx_http_max_headers") or conf.get("nginx_proxy_max_headers") or ""
    return not given.isdecimal() or not 0 < int(given) <= _MAX_HEADERS


def _underscores(conf: Mapping[str, str]) -> bool:
    return conf.get("nginx_proxy_underscores_in_headers") != "off"


def _trusts_everybody(conf: Mapping[str, str]) -> bool:
    return any(network in conf.get("trusted_ips", "") for network in _EVERYBODY)


class ConfRule(NamedTuple):
    """Why a setting of kong.conf is unsafe, what to do instead, and whether it is."""

    why: str
    fix: str
    is_broken: Callable[[Mapping[str, str]], bool]


CONF_RULES: Mapping[str, ConfRule] = {
    "max-headers-missing": ConfRule(
        "Kong looks at the first 100 headers only, and nginx sends up to 1000 to the service",
        "nginx_http_max_headers = 75 in kong.conf, from Kong 3.9.3 on",
        _max_headers,
    ),
    "underscores-in-headers": ConfRule(
        "Kong lets names with underscores pass, and some servers read x_user_id as X-User-Id",
        "nginx_proxy_underscores_in_headers = off in kong.conf",
        _underscores,
    ),
    "trusts-every-proxy": ConfRule(
        "trusted_ips holds every address, so every client chooses its own in X-Forwarded-For",
        "trusted_ips = the addresses of your load balancers",
        _trusts_everybody,
    ),
}
"""Rule id → what it says about kong.conf."""
