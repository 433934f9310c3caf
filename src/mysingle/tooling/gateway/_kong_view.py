"""A declarative file of Kong as the linter sees it: routes with the plugins that run on them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mysingle.tooling.gateway._document import Document, Place
from mysingle.tooling.gateway._lua_reading import LuaReading, read_lua

__all__ = ["AUTH_PLUGINS", "FUNCTIONS", "KongView", "Plugin", "Route", "view_of"]

AUTH_PLUGINS = frozenset(
    {
        *("basic-auth", "hmac-auth", "jwt", "key-auth", "key-auth-enc", "ldap-auth", "ldap-auth-advanced"),
        *("mtls-auth", "oauth2", "oauth2-introspection", "oidc", "openid-connect", "saml", "session"),
    }
)
FUNCTIONS = ("pre-function", "post-function")
_REWRITE = "rewrite"
_PHASES = ("access", "functions")
_SCOPES = ("service", "route", "consumer", "consumer_group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A plugin that is switched on, and where it stands."""

    name: str
    path: Place
    config: Mapping[str, Any]
    is_global: bool

    def texts(self, *names: str) -> list[str]:
        """Return a list of text below the configuration; a single text counts as one."""
        value: Any = self.config
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        items = value if isinstance(value, list) else [value]
        return [item for item in items if isinstance(item, str)]

    @property
    def programs(self) -> list[LuaReading]:
        """The programs of pre-function and post-function that are for before the request goes on."""
        return [read_lua(text) for phase in (_REWRITE, *_PHASES) for text in self.texts(phase)]

    @property
    def running(self) -> list[LuaReading]:
        """Those of them that run: when Kong rewrites, it has no route yet, so only global plugins take part."""
        return [program for phase in _PHASES for program in map(read_lua, self.texts(phase))] + (
            [read_lua(text) for text in self.texts(_REWRITE)] if self.is_global else []
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route with the plugins that run on it, by name, and the service behind it."""

    path: Place
    plugins: Mapping[str, Plugin]
    service: Mapping[str, Any]

    @property
    def is_authenticated(self) -> bool:
        """Whether a plugin asks who is calling."""
        return not AUTH_PLUGINS.isdisjoint(self.plugins)

    @property
    def programs(self) -> list[LuaReading]:
        """The programs that run on this route."""
        return [program for name in FUNCTIONS if name in self.plugins for program in self.plugins[name].running]


@dataclass(frozen=True, slots=True, kw_only=True)
class KongView:
    """Every plugin of a file, and every route."""

    plugins: tuple[Plugin, ...]
    routes: tuple[Route, ...]
    services: tuple[tuple[Place, Mapping[str, Any]], ...]


@dataclass(slots=True)
class _Scopes:
    """The plugins of the whole gateway, of services and of routes, by id and by name."""

    everywhere: dict[str, Plugin] = field(default_factory=dict)
    below: dict[tuple[str, str], dict[str, Plugin]] = field(default_factory=dict)


def view_of(document: Document) -> KongView:
    """
    Read a declarative file.

    Raises:
        GatewayFileError: this is no declarative file of Kong.
    """
    top = document.value
    if not isinstance(top, dict) or "_format_version" not in top:
        raise document.error((), "this is no declarative file of Kong, which has the member _format_version")
    plugins = tuple(_plugins(top, ()))
    services = [(("services", index), service) for index, service in _mappings(top, "services")]
    scopes = _scopes(top, plugins)
    routes = [route for path, service in services for route in _routes_of(service, path, scopes)]
    by_name = {service.get(key): service for _, service in services for key in ("name", "id") if service.get(key)}
    for index, route in _mappings(top, "routes"):
        service = by_name.get(_reference(route.get("service")), {})
        routes.append(_route(route, ("routes", index), service, {}, scopes))
    return KongView(plugins=plugins, routes=tuple(routes), services=tuple(services))


def _mappings(parent: Mapping[str, Any], name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    found = parent.get(name)
    for index, item in enumerate(found if isinstance(found, list) else ()):
        if isinstance(item, dict):
            yield index, item


def _plugins(parent: Mapping[str, Any], path: Place) -> Iterator[Plugin]:
    """Return the plugins of an entity and of everything inside of it."""
    yield from _own_plugins(parent, path)
    for name in ("services", "routes", "consumers", "consumer_groups"):
        for index, item in _mappings(parent, name):
            yield from _plugins(item, (*path, name, index))


def _own_plugins(parent: Mapping[str, Any], path: Place) -> Iterator[Plugin]:
    for index, item in _mappings(parent, "plugins"):
        config = item.get("config")
        if item.get("enabled") is not False:
            given = config if isinstance(config, dict) else {}
            is_global = not path and not any(map(item.get, _SCOPES))
            place = (*path, "plugins", index)
            yield Plugin(name=str(item.get("name")), path=place, config=given, is_global=is_global)


def _scopes(top: Mapping[str, Any], plugins: tuple[Plugin, ...]) -> _Scopes:
    """Sort the plugins at the top of the file; each may name the service or the route that it is for."""
    made = _Scopes()
    at_top = {plugin.path: plugin for plugin in plugins if len(plugin.path) == 2}
    for index, item in _mappings(top, "plugins"):
        plugin = at_top.get(("plugins", index))
        if plugin is None or item.get("consumer") or item.get("consumer_group"):
            continue
        targets = [(kind, _reference(item.get(kind))) for kind in ("service", "route") if item.get(kind)]
        if not targets:
            made.everywhere[plugin.name] = plugin
        for kind, name in targets[-1:]:
            made.below.setdefault((kind, name), {})[plugin.name] = plugin
    return made


def _reference(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("name") or value.get("id")
    return str(value)


def _routes_of(service: Mapping[str, Any], path: Place, scopes: _Scopes) -> Iterator[Route]:
    own = {plugin.name: plugin for plugin in _own_plugins(service, path)}
    for index, route in _mappings(service, "routes"):
        yield _route(route, (*path, "routes", index), service, own, scopes)


def _route(
    route: Mapping[str, Any], path: Place, service: Mapping[str, Any], of_service: Mapping[str, Plugin], scopes: _Scopes
) -> Route:
    """Put together what runs on a route: its own plugins win over those of the service, and they over the rest."""
    effective = {**scopes.everywhere}
    for kind, entity, inside in (
        ("service", service, of_service),
        ("route", route, {plugin.name: plugin for plugin in _own_plugins(route, path)}),
    ):
        for key in ("id", "name"):
            effective.update(scopes.below.get((kind, str(entity.get(key))), {}))
        effective.update(inside)
    return Route(path=path, plugins=effective, service=service)
