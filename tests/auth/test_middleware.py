# ruff: noqa: RUF001  # look-alike letters are the point
from typing import Any, NamedTuple, Protocol

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st

from mysingle._kernel.context import RequestContext, current_context, use_context
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.settings import CommonSettings
from mysingle.auth import AuthMiddleware, get_current_user_optional
from mysingle.auth._headers import collect, parse
from mysingle.auth.signing import sign_identity
from mysingle.core import ServiceType, create_service_config
from mysingle.core.config import set_settings

ID = "0123456789abcdef01234567"
IDENTITY = [("X-User-Id", ID)]
PREFLIGHT = [("Access-Control-Request-Method", "POST"), ("Origin", "https://a")]
RELAXED: dict[str, Any] = {"ENVIRONMENT": "development"}
PRODUCTION: dict[str, Any] = {"ENVIRONMENT": "production"}
NETWORK: dict[str, Any] = {"ENVIRONMENT": "production", "GATEWAY_TRUST": "network"}
BYPASS: dict[str, Any] = {"ENVIRONMENT": "development", "MYSINGLE_AUTH_BYPASS": True}
CHALLENGE = 'Bearer realm="mysingle"'


async def receive() -> dict[str, Any]:
    return {"type": "http.request"}


class MakeService(Protocol):
    def __call__(self, *, options: dict[str, Any] | None = None, **values: Any) -> Any: ...


REQUESTS: list[tuple[str, dict[str, Any], list[tuple[str, str | bytes]], int, str]] = [
    ("A01 spoofed", PRODUCTION, [*IDENTITY, ("X-User-Superuser", "true")], 401, "GATEWAY_PROOF_MISSING"),
    ("A32 trust none", {**PRODUCTION, "GATEWAY_TRUST": "none"}, [*IDENTITY], 401, "GATEWAY_PROOF_MISSING"),
    ("unset", {}, [*IDENTITY], 401, "GATEWAY_PROOF_MISSING"),
    ("staging", {"ENVIRONMENT": "staging"}, [*IDENTITY], 401, "GATEWAY_PROOF_MISSING"),
    ("unknown environment", {"ENVIRONMENT": "prod"}, [*IDENTITY], 401, "GATEWAY_PROOF_MISSING"),
    ("malformed, no proof", PRODUCTION, [("X-User-Id", "x")], 401, "GATEWAY_PROOF_MISSING"),
    ("nothing", PRODUCTION, [], 401, "AUTH_REQUIRED"),
    ("nothing, relaxed", RELAXED, [], 401, "AUTH_REQUIRED"),
    ("nothing, network", NETWORK, [], 401, "AUTH_REQUIRED"),
    ("A21 consumer id", NETWORK, [("X-Consumer-Custom-ID", ID)], 401, "AUTH_REQUIRED"),
    ("A21 userinfo", NETWORK, [("X-Userinfo", ID), ("X-Authenticated-Userid", ID)], 401, "AUTH_REQUIRED"),
    ("only a token", NETWORK, [("Authorization", "Bearer x")], 401, "AUTH_REQUIRED"),
    ("no id", NETWORK, [("X-User-Email", "a@b.c")], 401, "AUTH_REQUIRED"),
    ("A27 minimum", NETWORK, [*IDENTITY], 200, ""),
    ("relaxed", RELAXED, [*IDENTITY], 200, ""),
    ("testing", {"ENVIRONMENT": "testing"}, [*IDENTITY], 200, ""),
    ("A13 upper case", NETWORK, [("X-User-Id", ID.upper())], 200, ""),
    ("A12 trailing space", NETWORK, [("X-User-Id", ID + " \t")], 200, ""),
    ("anonymous", NETWORK, [*IDENTITY, ("X-Anonymous-Consumer", "true")], 401, "AUTH_REQUIRED"),
    ("anonymous in capitals", NETWORK, [*IDENTITY, ("X-Anonymous-Consumer", " TRUE")], 401, "AUTH_REQUIRED"),
    ("not anonymous", NETWORK, [*IDENTITY, ("X-Anonymous-Consumer", "false")], 200, ""),
    ("A18 inactive", NETWORK, [*IDENTITY, ("X-User-Active", "false")], 403, "USER_INACTIVE"),
    ("not verified", NETWORK, [*IDENTITY, ("X-User-Verified", "false")], 200, ""),
]


@pytest.mark.parametrize(
    ("values", "headers", "status", "code"), [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS]
)
async def test_request(values: Any, headers: Any, status: int, code: str, make_service: MakeService) -> None:
    """Each kind of request has one answer, and a refused one reaches nothing."""
    answer = await make_service(**values).call(headers)

    assert (status, code) == (answer.status, answer.code)
    assert (answer.scope is not None) == (status == 200)
    assert ([code] if code else []) == answer.refused


MALFORMED: list[tuple[str, list[tuple[str, str | bytes]]]] = [
    ("A09 twice the same", [*IDENTITY, *IDENTITY]),
    ("A09 two ids", [*IDENTITY, ("X-User-Id", "f" * 24)]),
    ("A10 joined", [("X-User-Id", f"{ID}, {ID}")]),
    ("two flags", [*IDENTITY, ("X-User-Superuser", "true"), ("X-User-Superuser", "false")]),
    ("look-alike", [("X_User_Id", ID)]),
    ("look-alike beside", [*IDENTITY, ("X-User_Id", "f" * 24)]),
    ("look-alike flag", [*IDENTITY, ("X_USER_SUPERUSER", "true")]),
    ("A12 23 digits", [("X-User-Id", ID[1:])]),
    ("A12 25 digits", [("X-User-Id", ID + "0")]),
    ("A12 not hex", [("X-User-Id", "z" * 24)]),
    ("A12 12 bytes", [("X-User-Id", b"\x01" * 12)]),
    ("A12 operator", [("X-User-Id", "$ne")]),
    ("A12 document", [("X-User-Id", '{"$gt":""}')]),
    ("A12 full width", [("X-User-Id", ("０" * 24).encode())]),
    ("A12 NBSP", [("X-User-Id", b"\xa0" + ID.encode())]),
    ("A12 NBSP in UTF-8", [("X-User-Id", ID.encode() + b"\xc2\xa0")]),
    ("line break", [("X-User-Id", ID + "\n")]),
    ("empty id", [("X-User-Id", "")]),
    ("A15 latin-1", [("X-User-Id", b"\xe9" * 24)]),
    *[
        (f"A17 {name} {value!r}", [*IDENTITY, (name, value)])
        for name in ("X-User-Active", "X-User-Verified", "X-User-Superuser")
        for value in ("TRUE", "True", "1", "yes", "", "truefalse", "true,true", "tru\xe9")
    ],
    ("role in capitals", [*IDENTITY, ("X-User-Roles", "Admin")]),
    ("role with space", [*IDENTITY, ("X-User-Roles", "a b")]),
    ("empty role", [*IDENTITY, ("X-User-Roles", "a,,b")]),
    ("trailing comma", [*IDENTITY, ("X-User-Roles", "a,")]),
    ("65 roles", [*IDENTITY, ("X-User-Roles", ",".join(["a"] * 65))]),
    ("long role", [*IDENTITY, ("X-User-Roles", "a" * 65)]),
    ("long session", [*IDENTITY, ("X-Session-Id", "a" * 65)]),
    ("session with space", [*IDENTITY, ("X-Session-Id", "a b")]),
    ("empty session", [*IDENTITY, ("X-Session-Id", "")]),
    ("long e-mail", [*IDENTITY, ("X-User-Email", "a" * 1025)]),
    ("e-mail with NUL", [*IDENTITY, ("X-User-Email", "a\x00@b.c")]),
    ("e-mail with line break", [*IDENTITY, ("X-User-Email", "a@b.c\r\nX: y")]),
]


@pytest.mark.parametrize("headers", [row[1] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
async def test_malformed(headers: Any, make_service: MakeService) -> None:
    """An identity header that is duplicated, a look-alike or ill-formed is refused: the gateway is misconfigured."""
    answer = await make_service(**NETWORK).call(headers)

    assert (answer.status, answer.code) == (400, "GATEWAY_HEADER_MALFORMED")
    assert answer.scope is None


async def test_every_field(make_service: MakeService) -> None:
    """The caller has what the headers say, in its own types."""
    headers = [
        ("X-User-Id", ID.upper()),
        ("X-User-Email", "a.b+c@example.com"),
        ("X-User-Verified", "false"),
        ("X-User-Active", "true"),
        ("X-User-Superuser", "true"),
        ("X-User-Roles", "trader, desk:fx,risk_1"),
        ("X-Session-Id", "s-1"),
    ]
    answer = await make_service(**NETWORK).call(headers)

    assert answer.user == answer.context_user
    assert answer.user == AuthenticatedUser(
        id=ID,
        email="a.b+c@example.com",
        is_active=True,
        is_verified=False,
        is_superuser=True,
        roles=frozenset({"trader", "desk:fx", "risk_1"}),
        session_id="s-1",
    )


async def test_minimum(make_service: MakeService) -> None:
    """With the id alone the caller is active and verified, and nothing more."""
    answer = await make_service(**NETWORK).call(IDENTITY)

    assert answer.user == AuthenticatedUser(id=ID, is_active=True, is_verified=True)


async def test_minimum_without_assumption(make_service: MakeService) -> None:
    """When nothing is assumed, a missing X-User-Active is an inactive caller, a missing X-User-Verified unverified."""
    service = make_service(**NETWORK, GATEWAY_ASSUME_VERIFIED=False)
    inactive = await service.call(IDENTITY)
    unverified = await service.call([*IDENTITY, ("X-User-Active", "true")])

    assert inactive.code == "USER_INACTIVE"
    assert unverified.user is not None
    assert not unverified.user.is_verified


EMAILS = [
    (b"a@b.c", "a@b.c"),
    (b"", None),
    (b"not an address", None),
    (b"a@b@c", None),
    ("😀@b.c".encode(), None),
    (b"a\xe9@b.c", None),
    (b"@b.c", None),
    (b"a" * 65 + b"@b.c", None),
    (b"Name <a@b.c>", None),
]


@pytest.mark.parametrize(("value", "email"), EMAILS, ids=[repr(row[0])[:30] for row in EMAILS])
async def test_email(value: bytes, email: str | None, make_service: MakeService) -> None:
    """An e-mail address that is none is nobody's failure: the caller has no address."""
    answer = await make_service(**NETWORK).call([*IDENTITY, ("X-User-Email", value)])

    assert answer.user is not None
    assert email == answer.user.email


@pytest.mark.parametrize("values", [PRODUCTION, {}, RELAXED, BYPASS], ids=["production", "unset", "relaxed", "bypass"])
async def test_refusal_document(values: Any, make_service: MakeService) -> None:
    """A 401 is a problem document with the challenge, the correlation id and the service's name."""
    with use_context(RequestContext(correlation_id="c-1")):
        answer = await make_service(**values).call([("Authorization", "Bearer x")], "/a/b")

    assert answer.headers["www-authenticate"] == CHALLENGE
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.problem == {
        "type": "https://docs.mysingle.dev/errors/AUTH_REQUIRED",
        "title": "Authentication required",
        "status": 401,
        "detail": "Authentication is required.",
        "instance": "/a/b",
        "code": "AUTH_REQUIRED",
        "domain": "my-service",
        "correlation_id": "c-1",
    }


@pytest.mark.parametrize(("values", "hints"), [({}, True), (PRODUCTION, False)], ids=["unset", "production"])
async def test_hint(values: Any, hints: bool, make_service: MakeService) -> None:
    """Where nobody chose an environment the refusal says how to go on; in production it tells a stranger nothing."""
    answer = await make_service(**values).call(IDENTITY)

    assert hints == ("ENVIRONMENT=development" in answer.problem["detail"])
    assert answer.headers["www-authenticate"] == CHALLENGE


@pytest.mark.parametrize("values", [PRODUCTION, NETWORK, RELAXED], ids=["production", "network", "relaxed"])
async def test_iam_never_reads_headers(values: Any, make_service: MakeService) -> None:
    """IAM believes its own tokens only: gateway headers are nobody, in every environment."""
    service = make_service(options={"is_gateway_downstream": False, "public_paths": ["/open"]}, **values)
    answer = await service.call([*IDENTITY, ("X-User-Superuser", "true")])
    open_answer = await service.call([*IDENTITY], "/open")

    assert answer.code == "AUTH_REQUIRED"
    assert open_answer.user is None
    assert open_answer.seen_headers == {}


SPOOFED: list[tuple[str, str | bytes]] = [
    *IDENTITY,
    ("X-User-Superuser", "true"),
    ("X_User_Roles", "admin"),
    ("X-Session-Id", "s"),
    ("Accept", "*/*"),
]


@pytest.mark.parametrize("values", [PRODUCTION, {}], ids=["production", "unset"])
async def test_spoofed_headers_are_stripped(values: Any, make_service: MakeService) -> None:
    """On a public path without proof the caller is nobody, and no handler can read the spoofed headers."""
    answer = await make_service(options={"public_paths": ["/open/*"]}, **values).call(SPOOFED, "/open/a")

    assert answer.status == 200
    assert answer.user is None
    assert answer.context_user is None
    assert answer.seen_headers == {b"accept": b"*/*"}


OPTIONAL = [
    ("nobody", [], None),
    ("known", IDENTITY, ID),
    ("malformed", [("X-User-Id", "x")], None),
    ("duplicate", [*IDENTITY, *IDENTITY], None),
    ("inactive", [*IDENTITY, ("X-User-Active", "false")], None),
    ("anonymous", [*IDENTITY, ("X-Anonymous-Consumer", "true")], None),
]


@pytest.mark.parametrize(("headers", "user_id"), [row[1:] for row in OPTIONAL], ids=[row[0] for row in OPTIONAL])
async def test_optional_caller(headers: Any, user_id: str | None, make_service: MakeService) -> None:
    """On a public path a believed caller is known, and whatever is wrong with the headers refuses nobody."""
    answer = await make_service(options={"public_paths": ["/open"]}, **NETWORK).call(headers, "/open")

    assert answer.status == 200
    assert user_id == (answer.user.id if answer.user else None)


async def test_bypass(make_service: MakeService) -> None:
    """With the bypass a request without credentials is the test user, and its answer says so."""
    service = make_service(**BYPASS)
    answer = await service.call()

    assert service.middleware.auth_bypass
    assert answer.user is not None
    assert (answer.user.id, answer.user.auth_method) == ("0" * 23 + "1", "bypass")
    assert answer.headers == {"x-auth-bypass": "1"}


async def test_bypass_for_websocket(make_service: MakeService) -> None:
    """The bypass covers WebSocket too."""
    answer = await make_service(**BYPASS).call(kind="websocket")

    assert answer.user is not None
    assert answer.user.auth_method == "bypass"


CREDENTIALS: list[tuple[str, list[tuple[str, str]], int, str]] = [
    ("headers", IDENTITY, 200, ""),
    ("token", [("Authorization", "Bearer x")], 401, "AUTH_REQUIRED"),
    ("empty token", [("Authorization", "")], 401, "AUTH_REQUIRED"),
    ("malformed", [("X-User-Id", "x")], 400, "GATEWAY_HEADER_MALFORMED"),
    ("look-alike", [("x_user_id", ID)], 400, "GATEWAY_HEADER_MALFORMED"),
    ("inactive", [*IDENTITY, ("X-User-Active", "false")], 403, "USER_INACTIVE"),
]


@pytest.mark.parametrize(
    ("headers", "status", "code"), [row[1:] for row in CREDENTIALS], ids=[row[0] for row in CREDENTIALS]
)
async def test_credentials_win_over_bypass(headers: Any, status: int, code: str, make_service: MakeService) -> None:
    """Whoever sends credentials is judged by them, so the 401 paths stay testable."""
    answer = await make_service(**BYPASS).call(headers)

    assert (status, code) == (answer.status, answer.code)
    assert "x-auth-bypass" not in answer.headers


async def test_bypass_leaves_public_paths_anonymous(make_service: MakeService) -> None:
    """On a public path the bypass makes nobody."""
    answer = await make_service(options={"public_paths": ["/open"]}, **BYPASS).call(path="/open")

    assert answer.user is None
    assert answer.headers == {}


@pytest.mark.parametrize("name", [None, "production", "development\u200b", "testing", "local"], ids=repr)
async def test_refused_bypass(name: str | None, make_service: MakeService) -> None:
    """Where the bypass is refused, a request without credentials is a 401."""
    service = make_service(MYSINGLE_AUTH_BYPASS=True, **({"ENVIRONMENT": name} if name else {}))
    answer = await service.call()

    assert not service.middleware.auth_bypass
    assert answer.code == "AUTH_REQUIRED"


async def test_bypass_is_decided_at_construction(make_service: MakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A30: variables that change while the service runs change nothing."""
    service = make_service(ENVIRONMENT="development")
    monkeypatch.setenv("MYSINGLE_AUTH_BYPASS", "true")

    assert (await service.call()).code == "AUTH_REQUIRED"


PREFLIGHTS: list[tuple[str, str, list[tuple[str, str]], int]] = [
    ("preflight", "OPTIONS", PREFLIGHT, 204),
    ("plain options", "OPTIONS", [], 401),
    ("not options", "GET", PREFLIGHT, 401),
    ("with identity", "OPTIONS", [*PREFLIGHT, *IDENTITY], 204),
]


@pytest.mark.parametrize(
    ("method", "headers", "status"), [row[1:] for row in PREFLIGHTS], ids=[row[0] for row in PREFLIGHTS]
)
async def test_preflight(method: str, headers: Any, status: int, make_service: MakeService) -> None:
    """A CORS preflight is answered here and runs nothing: a fake one would reach a handler without a caller."""
    answer = await make_service(**NETWORK).call(headers, method=method)

    assert status == answer.status
    assert answer.scope is None


@pytest.mark.parametrize(
    ("values", "headers", "reason"),
    [
        (PRODUCTION, [], "AUTH_REQUIRED"),
        (PRODUCTION, IDENTITY, "GATEWAY_PROOF_MISSING"),
        (NETWORK, [("X-User-Id", "x")], "GATEWAY_HEADER_MALFORMED"),
        (NETWORK, [*IDENTITY, ("X-User-Active", "false")], "USER_INACTIVE"),
    ],
    ids=["nobody", "A25 spoofed", "malformed", "inactive"],
)
async def test_websocket_refusal(values: Any, headers: Any, reason: str, make_service: MakeService) -> None:
    """A WebSocket is refused before it is accepted, with the policy-violation code and the reason."""
    answer = await make_service(**values).call(headers, kind="websocket")

    assert answer.messages == [{"type": "websocket.close", "code": 1008, "reason": reason}]
    assert answer.scope is None


async def test_websocket_caller(make_service: MakeService) -> None:
    """A WebSocket has its caller like any request."""
    answer = await make_service(**NETWORK).call(IDENTITY, kind="websocket")

    assert answer.user is not None
    assert answer.user.id == ID


async def test_other_scopes_pass(make_service: MakeService) -> None:
    """The lifespan passes untouched."""
    answer = await make_service(**PRODUCTION).call(kind="lifespan")

    assert answer.scope is not None
    assert "state" not in answer.scope


async def test_state_is_never_inherited(make_service: MakeService) -> None:
    """A caller that somebody else put into the state does not count."""
    forged = {"user": AuthenticatedUser(id="f" * 24, is_superuser=True)}
    service = make_service(options={"public_paths": ["/open"]}, **PRODUCTION)
    refused = await service.call(state=dict(forged))
    opened = await service.call(path="/open", state=dict(forged))

    assert refused.code == "AUTH_REQUIRED"
    assert opened.user is None


async def test_context_caller_is_never_inherited(make_service: MakeService) -> None:
    """A caller of the context around does not reach a request without one."""
    with use_context(RequestContext(user=AuthenticatedUser(id="f" * 24))):
        answer = await make_service(options={"public_paths": ["/open"]}, **PRODUCTION).call(path="/open")

    assert answer.context_user is None


async def test_refused_request_has_no_caller(make_settings: Any) -> None:
    """In one task, a refused request behind an accepted one does not speak as its caller."""
    callers = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        callers.append(current_context().user_id)

    middleware = AuthMiddleware(app, settings=make_settings(**NETWORK))
    for headers in ([(b"x-user-id", ID.encode())], []):
        await middleware({"type": "http", "method": "GET", "path": "/", "headers": headers}, receive, send)

    assert callers[0] == ID
    assert {None} == set(callers[1:])


async def test_stripped_headers_stay_stripped(make_settings: Any) -> None:
    """What one layer has taken away, no layer inside of it finds again."""
    messages: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError(scope["state"]["user"])

    async def send(message: Any) -> None:
        messages.append(message)

    inner = AuthMiddleware(app, settings=make_settings(**NETWORK))
    outer = AuthMiddleware(inner, settings=make_settings(**PRODUCTION), public_paths=["/open"])
    await outer(
        {"type": "http", "method": "GET", "path": "/open", "headers": [(b"x-user-id", ID.encode())]}, None, send
    )

    assert messages[0]["status"] == 401


async def test_mounted_app(make_service: MakeService) -> None:
    """Below a mount point, public paths are those of the app itself."""
    service = make_service(options={"public_paths": ["/open"]}, **PRODUCTION)
    inside = await service.call(path="/mounted/open", root_path="/mounted")
    outside = await service.call(path="/mountedopen", root_path="/mounted")

    assert inside.status == 200
    assert outside.status == 401


async def test_app_that_core_did_not_assemble(make_settings: Any) -> None:
    """The middleware answers by itself in any ASGI app, without our context or error layers."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = scope["state"]["user"].id.encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    transport = httpx.ASGITransport(AuthMiddleware(app, settings=make_settings(**NETWORK)))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        known = await client.get("/a", headers={"X-User-Id": ID})
        unknown = await client.get("/a")
        double = await client.get("/a", headers=[("X-User-Id", ID), ("x-user-id", ID)])

    assert (known.status_code, known.text) == (200, ID)
    assert (unknown.status_code, unknown.json()["correlation_id"]) == (401, None)
    assert unknown.headers["www-authenticate"] == CHALLENGE
    assert double.json()["code"] == "GATEWAY_HEADER_MALFORMED"


class Config(NamedTuple):
    """How a service is described: with its configuration, or with single words."""

    options: dict[str, Any]
    name: str
    status: int


NOTES = create_service_config("notes-service", public_paths=["/open"])
IAM = create_service_config("iam-service", ServiceType.IAM_SERVICE, public_paths=["/open"])
DESCRIBED = [
    pytest.param(Config({"service_config": NOTES}, "notes-service", 200), id="configuration"),
    pytest.param(Config({"service_config": IAM}, "iam-service", 401), id="iam"),
    pytest.param(
        Config({"service_config": NOTES, "service_name": "other", "is_gateway_downstream": False}, "other", 401),
        id="word-wins",
    ),
    pytest.param(Config({"service_name": "other", "public_paths": ["/open"]}, "other", 200), id="words"),
]


@pytest.mark.parametrize("is_explicit", [True, False], ids=["settings-given", "settings-of-the-process"])
@pytest.mark.parametrize("config", DESCRIBED)
async def test_added_by_hand(make_settings: Any, config: Config, is_explicit: bool) -> None:
    """In an app of one's own the configuration gives name, type and public paths; a single word beside it wins."""
    settings = make_settings(**NETWORK)
    options = {"settings": settings} if is_explicit else {}
    app = FastAPI()
    app.add_middleware(AuthMiddleware, **config.options, **options)

    @app.get("/{page}")
    async def page(request: Request) -> str | None:
        user = get_current_user_optional(request)
        return user and user.id

    if not is_explicit:
        set_settings(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        known = await client.get("/mine", headers={"X-User-Id": ID})
        unknown = await client.get("/mine")
        opened = await client.get("/open")

    assert known.status_code == config.status
    assert (unknown.status_code, unknown.json()["domain"]) == (401, config.name)
    assert (opened.status_code, opened.json()) == (200, None)


async def test_name_of_the_configuration_is_signed(make_service: MakeService) -> None:
    """A signature counts for the service that the configuration names, and for no other."""
    alice = AuthenticatedUser(id=ID, auth_method="gateway")
    answers = []
    for name in ("notes-service", "other-service"):
        options = {"service_config": create_service_config(name), "service_name": None}
        service = make_service(options=options, **PRODUCTION, GATEWAY_HMAC_KEYS="k" * 40)
        signed = sign_identity(alice, key=b"k" * 40, service_name="notes-service")
        answers.append(await service.call(list(signed.items())))

    assert [answer.code for answer in answers] == ["", "GATEWAY_PROOF_INVALID"]


names = st.sampled_from(
    b"x-user-id x_user_id x-user-email x-user-active x-user-verified x-user-superuser x-user-roles x-session-id "
    b"x-anonymous-consumer authorization accept".split()
)
contents = st.binary(max_size=40) | st.sampled_from([ID.encode(), ID.upper().encode(), b"true", b"false", b"a,b", b""])


@given(headers=st.lists(st.tuples(names, contents), max_size=8))
def test_any_headers(headers: list[tuple[bytes, bytes]]) -> None:
    """Whatever the headers hold, either they are called malformed, or the caller is of the exact form."""
    found = collect({"headers": headers})
    if found.is_ambiguous:
        return
    try:
        user = parse(found.values, True)
    except ValueError:
        return
    given_ids = [value.strip(b" \t") for name, value in headers if name == b"x-user-id"]

    assert not any(name == b"x_user_id" for name, _ in headers)
    assert [user.id.encode()] == [value.lower() for value in given_ids] if user else given_ids == []
    assert user is None or set(user.id) <= set("0123456789abcdef")
    assert user is None or user.is_superuser == any(
        name == b"x-user-superuser" and value.strip(b" \t") == b"true" for name, value in headers
    )


@given(headers=st.lists(st.tuples(names, contents), max_size=8), kind=st.sampled_from(["http", "websocket"]))
async def test_production_believes_nobody(headers: list[tuple[bytes, bytes]], kind: str) -> None:
    """Without a proof no headers whatever reach the app."""
    reached = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    async def send(message: Any) -> None:
        pass

    settings = CommonSettings(_env_file=None, ENVIRONMENT="production")
    await AuthMiddleware(app, settings=settings)(
        {"type": kind, "path": "/", "method": "GET", "headers": headers}, None, send
    )

    assert reached == []


def test_every_repeated_name_is_found() -> None:
    """Of thousands of headers each name that occurs twice is told, and no other."""
    headers = [(b"authorization", b"a"), (b"x-user-id", b"a")] * 2_000 + [(b"x-session-id", b"a")]

    assert collect({"headers": headers}).repeated == {b"authorization", b"x-user-id"}
