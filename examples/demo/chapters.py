"""What happens in the demo, chapter by chapter."""

import secrets
import time
from typing import NamedTuple

from examples.demo.authors import GOOD
from examples.demo.caller import Answer, Caller
from examples.demo.tour import Tour, bearer
from examples.demo.world import World

from mysingle.auth import AuthenticatedUser
from mysingle.auth.signing import sign_identity

MOMENTUM = {"name": "Momentum", "symbol": "SPY", "source": GOOD, "parameters": {"fast": 20, "slow": 100}}
HITS = 'mysingle_cache_requests_total{cache="strategy",result="hit"}'
NOWHERE = "0" * 24
REVOCATION_SECONDS = 1.1
"""A service asks once a second whether a session has ended."""


class Person(NamedTuple):
    """Somebody who is signed in."""

    id: str
    access: str
    refresh: str

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.access)


def sign_up(tour: Tour, world: World, name: str) -> Person:
    """Register, follow the link of the mail, sign in; all of it through the gateway."""
    front = world.front
    account = {"email": f"{name.lower()}-{secrets.token_hex(3)}@example.com", "password": secrets.token_urlsafe(16)}
    tour.call(f"{name} registers", front, "POST", "/api/v1/auth/register", body=account, expect=201)
    too_early = {"body": account, "expect": 403, "code": "LOGIN_USER_NOT_VERIFIED"}
    tour.call(f"{name} signs in too early", front, "POST", "/api/v1/auth/login", **too_early)
    token = world.mailbox.token_for(account["email"])
    said = "the link of the mail"
    verify = "/api/v1/auth/verify"
    tour.call(f"{name} follows the link", front, "POST", verify, body={"token": token}, note=lambda _: said)
    signed_in = tour.call(f"{name} signs in", front, "POST", "/api/v1/auth/login", body=account, note=_life)
    return _person(signed_in)


def _life(answer: Answer) -> str:
    return f"token for {answer.body['expires_in'] // 60} min"


def _person(answer: Answer) -> Person:
    body = answer.body if answer.status == 200 else {"user_info": {}}
    return Person(body["user_info"].get("_id", NOWHERE), body.get("access_token", ""), body.get("refresh_token", ""))


def use_strategies(tour: Tour, world: World, alice: Person, bob: Person) -> None:
    front, hits = world.front, _Hits(world.back)
    created = tour.call(
        "Alice creates a strategy", front, "POST", "/strategies", headers=alice.headers, body=MOMENTUM, expect=201
    )
    path = f"/strategies/{created.body.get('id', NOWHERE)}"
    tour.call("Alice lists hers", front, "GET", "/strategies?limit=5", headers=alice.headers, note=_count)
    for step in ("Alice reads it", "Alice reads it again"):
        tour.call(step, front, "GET", path, headers=alice.headers, note=hits.said)
    renamed = MOMENTUM | {"name": "Slow momentum"}
    tour.call("Alice changes it", front, "PUT", path, headers=alice.headers, body=renamed)
    internal = sign_identity(
        AuthenticatedUser(id=alice.id, is_verified=True),
        key=world.gateway_key,
        service_name=world.strategies.name,
        method="POST",
    )
    tour.call("another service starts it", world.back, "POST", f"{path}/start", headers=internal)
    tour.call("Bob looks for it", front, "GET", path, headers=bob.headers, expect=404)
    tour.call("nobody signed in asks", front, "GET", "/strategies", expect=401, code="AUTH_REQUIRED")
    nonsense = {"symbol": "???"}
    tour.call("Alice sends nonsense", front, "POST", "/strategies", headers=alice.headers, body=nonsense, expect=422)
    tour.call("Alice deletes it", front, "DELETE", path, headers=alice.headers, expect=204)
    for probe in ("/health", "/ready", "/metrics"):
        tour.call("the platform looks", world.back, "GET", probe)


def _count(answer: Answer) -> str:
    return f"{len(answer.body['items'])} found"


class _Hits:
    """Tells from the metrics whether the last call was answered from the cache."""

    def __init__(self, service: Caller) -> None:
        self._service = service
        self._before = self._count()

    def said(self, _: Answer) -> str:
        before, self._before = self._before, self._count()
        return "cache hit" if self._before > before else "cache miss"

    def _count(self) -> float:
        lines = self._service.call("GET", "/metrics").body.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(HITS))


def use_sessions(tour: Tour, world: World, alice: Person) -> None:
    front = world.front
    renewed = _refresh(tour, front, "Alice renews her token", alice)
    sessions = "/api/v1/auth/sessions"
    tour.call("Alice looks at her sessions", front, "GET", sessions, headers=renewed.headers, note=_sessions)
    tour.call("Alice signs out", front, "POST", "/api/v1/auth/logout", headers=renewed.headers, body={}, expect=204)
    time.sleep(REVOCATION_SECONDS)
    revoked = {"headers": renewed.headers, "expect": 401, "code": "SESSION_REVOKED"}
    tour.call("her token, a second later", front, "GET", "/strategies", **revoked)
    body = {"refresh_token": renewed.refresh}
    tour.call("her refresh token afterwards", front, "POST", "/api/v1/auth/refresh", body=body, expect=401)


def _refresh(tour: Tour, front: Caller, step: str, person: Person) -> Person:
    body = {"refresh_token": person.refresh}
    return _person(tour.call(step, front, "POST", "/api/v1/auth/refresh", body=body, note=_life))


def _sessions(answer: Answer) -> str:
    return f"{answer.body['total']} open"


def attack(tour: Tour, world: World, bob: Person, victim: str) -> None:
    """Three attacks, each of which has to fail."""
    spoofed = {"X-User-Id": victim, "X-User-Superuser": "true"}
    refused = {"headers": spoofed, "expect": 401, "code": "GATEWAY_PROOF_MISSING"}
    tour.call("somebody else's id, around the gateway", world.back, "GET", "/strategies", **refused)
    front = world.front
    created = tour.call(
        "the same through the gateway, as Bob",
        front,
        "POST",
        "/strategies",
        headers=bob.headers | spoofed,
        body=MOMENTUM,
        expect=201,
        note=lambda answer: "it is Bob's" if answer.body["user_id"] == bob.id else "IT IS THE VICTIM'S",
    )
    tour.failures += created.body.get("user_id") != bob.id
    first = _refresh(tour, front, "Bob renews his token", bob)
    _refresh(tour, front, "and again", first)
    stolen = {"body": {"refresh_token": bob.refresh}, "expect": 401, "code": "REFRESH_TOKEN_REUSED"}
    tour.call("a thief replays the first one", front, "POST", "/api/v1/auth/refresh", **stolen)
    ended = {"body": {"refresh_token": first.refresh}, "expect": 401}
    tour.call("and the whole session is over", front, "POST", "/api/v1/auth/refresh", **ended)
