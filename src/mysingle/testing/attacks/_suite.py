"""The attacks that make sense for one service, and their outcome."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Self

from mysingle._kernel.public_paths import PublicPaths
from mysingle.testing.attacks._attack import (
    Attack,
    Expected,
    Need,
    StartAttack,
    attack,
    let_in,
    not_reached,
    refused,
    refused_handshake,
)
from mysingle.testing.attacks._forge import Forge, claiming
from mysingle.testing.attacks._service import App, AttackError, Keys, Launcher, Route, Server
from mysingle.testing.attacks._tables.bearer import BEARER
from mysingle.testing.attacks._tables.controls import CONTROLS
from mysingle.testing.attacks._tables.paths import PATHS
from mysingle.testing.attacks._tables.secrets import SECRETS
from mysingle.testing.attacks._tables.signatures import SIGNATURES
from mysingle.testing.attacks._tables.spoofing import SPOOFING
from mysingle.testing.attacks._tables.starts import STARTS
from mysingle.testing.attacks._tables.token_claims import TOKEN_CLAIMS
from mysingle.testing.attacks._tables.token_forms import TOKEN_FORMS
from mysingle.testing.attacks._tables.token_keys import TOKEN_KEYS
from mysingle.testing.attacks._tables.values import VALUES
from mysingle.testing.attacks._tables.websockets import WEBSOCKETS
from mysingle.testing.attacks._tables.wire import WIRE

__all__ = ["ATTACKS", "START_ATTACKS", "AttackedService", "Case"]

ATTACKS: tuple[Attack, ...] = (
    *CONTROLS,
    *SPOOFING,
    *SIGNATURES,
    *SECRETS,
    *VALUES,
    *BEARER,
    *TOKEN_FORMS,
    *TOKEN_KEYS,
    *TOKEN_CLAIMS,
    *PATHS,
    *WIRE,
    *WEBSOCKETS,
)
START_ATTACKS = STARTS

_PROOFS = {"cidr": Need.CIDR, "hmac": Need.HMAC, "jwt": Need.JWT, "secret": Need.SECRET}
_HEALTH = "/health"
_BELOW = "/*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    One attack on one service.

    `lacks` says what the service does not have, so that the attack makes no sense; `run` returns what went wrong, or
    None when the service stood.
    """

    id: str
    does: str
    run: Callable[[], str | None]
    lacks: str | None = None


class AttackedService:
    """
    A service with its real app, in a process of its own, and the attacks on it.

    The app is imported under production rules, with keys that are made for the run. Where a route matches, a witness
    answers instead of its handler, so an attack that succeeds does no harm and needs no database.

    Args:
        app: `"package.module:name"`, an app that `create_fastapi_app` made.
        path: the protected path that is attacked; the first protected GET route without it.
        open_paths: where everybody may come, exact or `/segment/*`; every other route has to be closed.
        directory: where the app is imported from; the current one without it.
        search_path: where else Python looks for modules; as in this process without it.
        runs_lifespan: whether the app's lifespan runs; it then needs what it opens.
        launcher: starts the processes; several services may share one, and without one there is an own one.

    Raises:
        AttackError: the app cannot be started, or there is nothing to attack.
    """

    def __init__(
        self,
        app: str,
        *,
        path: str | None = None,
        open_paths: Iterable[str] = (),
        directory: Path | None = None,
        search_path: Iterable[str] | None = None,
        runs_lifespan: bool = False,
        launcher: Launcher | None = None,
    ) -> None:
        self._open_paths = tuple(open_paths)
        self._open = PublicPaths(self._open_paths)
        self._app = App(
            name=app,
            directory=(directory or Path()).resolve(),
            search_path=tuple(sys.path if search_path is None else search_path),
            keys=Keys.make(),
            runs_lifespan=runs_lifespan,
        )
        with ExitStack() as started:
            self._launcher = launcher or started.enter_context(Launcher())
            self._server = started.enter_context(self._launcher.start(self._app))
            self._forge = self._make_forge(self._server, path)
            self._started = started.pop_all()

    @property
    def path(self) -> str:
        """The protected path that is attacked."""
        return self._forge.path

    @property
    def cases(self) -> tuple[Case, ...]:
        """Every attack, in a fixed order; those that make no sense for this service say so."""
        return (*self._known(), *self._inventory(), *self._starts())

    def close(self) -> None:
        """End the processes."""
        self._started.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_forge(self, server: Server, path: str | None) -> Forge:
        closed = [route for route in server.routes if route.path not in self._open]
        target = path or _first(closed, "http")
        if target is None:
            raise AttackError(f"{self._app.name} has no protected GET route; name one")
        public = [route.path for route in server.routes if route.path in self._open and _is_get(route)]
        prefixes = (path.removesuffix(_BELOW) for path in self._open_paths if path.endswith(_BELOW))
        return Forge(
            keys=self._app.keys,
            service_name=server.service_name,
            path=target,
            open_path=next((path for path in public if path in self._open_paths), _HEALTH),
            public_path=next(iter(public), None),
            public_prefix=next(prefixes, None),
            websocket_path=_first(closed, "websocket"),
        )

    def _known(self) -> Iterator[Case]:
        missing = {*Need} - self._present()
        for known in ATTACKS:
            lacking = sorted(known.needs & missing)
            yield Case(
                id=known.id,
                does=known.does,
                run=_runner(known, self._forge, self._server),
                lacks=f"the service has no {lacking[0].removeprefix('the ').removeprefix('a ')}" if lacking else None,
            )
        if self._server.has_health:
            yield Case(id=_OPEN_HEALTH.id, does=_OPEN_HEALTH.does, run=_runner(_OPEN_HEALTH, self._forge, self._server))

    def _present(self) -> set[Need]:
        proofs = {need for name, need in _PROOFS.items() if name in self._server.trust}
        present = proofs or set(_PROOFS.values())
        parts = {
            Need.PUBLIC: self._forge.public_path,
            Need.PREFIX: self._forge.public_prefix,
            Need.WEBSOCKET: self._forge.websocket_path,
        }
        return present | {need for need, part in parts.items() if part}

    def _inventory(self) -> Iterator[Case]:
        """Ask at every route whether it is what it should be, open or closed."""
        seen: set[str] = set()
        for route in self._server.routes:
            is_open = route.path in self._open
            name = f"{'open' if is_open else 'closed'}-{_label(route)}"
            if name in seen:
                continue
            seen.add(name)
            known = attack(name, f"calls {_label(route)}", _visit(route), *_of_route(route, is_open=is_open))
            yield Case(id=name, does=known.does, run=_runner(known, self._forge, self._server))

    def _starts(self) -> Iterator[Case]:
        missing = {*Need} - self._present()
        for known in START_ATTACKS:
            lacking = sorted(known.needs & missing)
            yield Case(
                id=known.id,
                does=known.does,
                run=_starter(known, self._forge, self._launcher, self._app),
                lacks=f"the service has no {lacking[0].removeprefix('the ')}" if lacking else None,
            )


_OPEN_HEALTH = attack(
    "control-health",
    "asks for the health of the service, and gets it",
    lambda forge: forge.get(*claiming(superuser="true"), target=_HEALTH),
    not_reached(200),
)


def _first(routes: Iterable[Route], kind: str) -> str | None:
    """Return the path of the simplest GET route."""
    found = [route for route in routes if route.kind == kind and _is_get(route)]
    return min(found, key=lambda route: "{" in route.template).path if found else None


def _is_get(route: Route) -> bool:
    return route.method == "GET" and (route.kind == "websocket" or route.path != "")


def _label(route: Route) -> str:
    return f"{'WEBSOCKET' if route.kind == 'websocket' else route.method} {route.template}"


def _visit(route: Route) -> Callable[[Forge], list[bytes]]:
    def send(forge: Forge) -> list[bytes]:
        claims = claiming(superuser="true", roles="admin")
        if route.kind == "websocket":
            return [*forge.upgrade(target=route.path), *forge.upgrade(*claims, target=route.path)]
        return [forge.request(headers, method=route.method, target=route.path) for headers in ((), claims)]

    return send


def _of_route(route: Route, *, is_open: bool) -> tuple[Expected, Expected]:
    if is_open:
        nobody = let_in(status=101 if route.kind == "websocket" else 200, user=None, headers=[])
        return nobody, nobody
    refuse = refused_handshake if route.kind == "websocket" else refused
    return refuse("AUTH_REQUIRED"), refuse("GATEWAY_PROOF_MISSING")


def _runner(known: Attack, forge: Forge, server: Server) -> Callable[[], str | None]:
    return lambda: _judge(known.send(forge), known.expects, server)


def _judge(requests: Iterable[bytes], expects: tuple[Expected, ...], server: Server) -> str | None:
    """Send the requests, and return the first thing that is wrong with the answers."""
    requests = list(requests)
    count = sum(not expected.may_be_absent for expected in expects) if len(requests) == 1 else 1
    answers = [answer for request in requests for answer in server.send(request, count)]
    for place, (expected, answer) in enumerate(zip_longest(expects, answers), 1):
        wrong = (expected or _NOTHING_MORE).problem(answer, server.mark)
        if wrong is not None:
            return f"{_ordinal(place, len(expects))}{wrong}\n\n{_shown(requests)}"
    return None


_NOTHING_MORE = not_reached(400, 401, 403, 404, 405)
_SHOWN = 1500


def _ordinal(place: int, count: int) -> str:
    return f"answer {place} of {count}: " if count > 1 else ""


def _shown(requests: list[bytes]) -> str:
    pieces = [
        request.decode("latin-1") if len(request) <= _SHOWN else f"{request[:_SHOWN].decode('latin-1')} …"
        for request in requests
    ]
    return "\n".join(f"> {line}" for piece in pieces for line in piece.rstrip("\r\n").splitlines())


def _starter(known: StartAttack, forge: Forge, launcher: Launcher, app: App) -> Callable[[], str | None]:
    def run() -> str | None:
        with launcher.start(app, known.environment, runs_lifespan=False) as server:
            wrong = _judge(known.send(forge), known.expects, server)
        return wrong or _started(known, launcher, app)

    return run


def _started(known: StartAttack, launcher: Launcher, app: App) -> str | None:
    """Return what is wrong when the service starts although it must not, or says too much or too little."""
    if known.refusal is None:
        return None
    try:
        launcher.start(app, known.environment, runs_lifespan=True).close()
    except AttackError as error:
        said = str(error)
        if any(secret in said for secret in known.secrets):
            return "the refusal to start shows the secret"
        return None if known.refusal in said else f"the start failed, but not because of {known.refusal}: {said}"
    return "the service starts like this"
