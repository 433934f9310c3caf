"""The programs that we ship for Kong, really run in LuaJIT, against the part of Kong's PDK that they use."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from lupa import luajit20, luajit21

from mysingle._kernel.errors import UnauthenticatedError
from mysingle._kernel.propagation import IDENTITY_HEADERS
from mysingle.auth._headers import collect
from mysingle.auth._proof import HmacProof
from mysingle.tooling.gateway import render
from mysingle.tooling.gateway._names import CLEARED

KEY = "test-gateway-key-0123456789abcdef"
NOW = 1795391029
ALLOWED = """assert error ipairs next pairs pcall select tonumber tostring type unpack xpcall
math.random string.byte string.char string.find string.format string.gmatch string.gsub string.len string.lower
string.match string.rep string.reverse string.sub string.upper table.concat table.insert table.remove table.sort"""
"""What the sandbox of Kong 3.9 lets a program use, beside `kong`, `ngx` and the modules that kong.conf allows."""

SANDBOX = """
local program, kong, ngx, modules, allowed = ...
local env = { kong = kong, ngx = ngx, require = function(name) return assert(modules[name], name) end }
for path in allowed:gmatch("%S+") do
  local module, name = path:match("^(%w+)%.(%w+)$")
  if module then
    env[module] = env[module] or {}
    env[module][name] = _G[module][name]
  else
    env[path] = _G[path]
  end
end
return setfenv(assert(loadstring(program)), env)()
"""

Headers = list[tuple[str, str]]


class ExitError(Exception):
    """Kong has answered by itself, and the request does not go on."""


class Answer(NamedTuple):
    """What became of a request: its headers as the service gets them, or Kong's own answer."""

    headers: Headers
    status: int | None
    body: dict[str, Any] | None
    answer_headers: dict[str, str] | None

    def values(self, name: str) -> list[str]:
        return [value for header, value in self.headers if header.lower() == name.lower()]

    @property
    def identity(self) -> dict[str, str]:
        return {name: value for name in IDENTITY_HEADERS for value in self.values(name)}


class Kong:
    """One request in the access phase: the PDK functions that the programs call, and nothing else."""

    def __init__(self, runtime: Any, headers: Headers) -> None:
        self.runtime = runtime
        self.null = runtime.eval("newproxy()")
        self.headers = headers
        self.answer: tuple[int, dict[str, Any], dict[str, str]] | None = None

    def run(
        self,
        program: str,
        *,
        token: object = None,
        credential: bool = True,
        service: str | None = "strategy-service",
        method: str = "GET",
        key: str | None = KEY,
        reference: str = "{vault://env/gateway-hmac-key}",
        clock: float = NOW,
    ) -> Answer:
        table = self.runtime.table_from
        request = table({"clear_header": self.clear_header, "set_header": self.set_header})
        kong = table(
            {
                "service": table({"request": request}),
                "ctx": table({"shared": table({"authenticated_jwt_token": token} if token is not None else {})}),
                "client": table({"get_credential": lambda: table({"key": "2026-11"}) if credential else None}),
                "router": table({"get_service": lambda: table({"name": service}) if service else None}),
                "request": table({"get_method": lambda: method}),
                "vault": table({"get": lambda name: {reference: key}[name]}),
                "response": table({"exit": self.exit}),
                "log": table({"err": lambda *_: None}),
            }
        )
        ngx = table(
            {
                "time": lambda: int(clock),
                "now": lambda: clock,
                "md5": lambda text: hashlib.md5(text.encode("latin-1")).hexdigest(),
                "decode_base64": decode_base64,
            }
        )
        safe = table({"decode": self.decode_json, "null": self.null})
        mac = table({"new": self.new_mac})
        modules = table({"cjson.safe": safe, "resty.openssl.mac": mac})
        try:
            self.runtime.execute(SANDBOX, program, kong, ngx, modules, ALLOWED)
        except ExitError:
            assert self.answer is not None
            return Answer(self.headers, *self.answer)
        return Answer(self.headers, None, None, None)

    def clear_header(self, name: str) -> None:
        self.headers = [(header, value) for header, value in self.headers if header.lower() != name.lower()]

    def set_header(self, name: str, value: str) -> None:
        assert value, "an empty value would be sent as a blank"
        self.clear_header(name)
        self.headers.append((name, value))

    def exit(self, status: int, body: Any, headers: Any) -> None:
        self.answer = (status, dict(body.items()), dict(headers.items()))
        raise ExitError

    def decode_json(self, text: str) -> Any:
        try:
            return self._to_lua(json.loads(text.encode("latin-1")))
        except ValueError:
            return None

    def _to_lua(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self.runtime.table_from({to_text(key): self._to_lua(item) for key, item in value.items()})
        if isinstance(value, list):
            return self.runtime.table_from([self._to_lua(item) for item in value])
        if value is None:
            return self.null
        return to_text(value) if isinstance(value, str) else value

    def new_mac(self, key: str, kind: str, cipher: None, algorithm: str) -> Any:
        assert (kind, cipher, algorithm) == ("HMAC", None, "sha256")

        def final(_: object, text: str) -> str:
            return hmac.digest(key.encode("latin-1"), text.encode("latin-1"), "sha256").decode("latin-1")

        return self.runtime.table_from({"final": final})


def to_text(value: str) -> str:
    """Return the bytes of a text as Lua has them, one character for each byte."""
    return value.encode().decode("latin-1")


def decode_base64(text: str) -> str | None:
    """Decode as ngx does: the plain alphabet only, None for anything else."""
    try:
        return base64.b64decode(text, validate=True).decode("latin-1")
    except ValueError:
        return None


@pytest.fixture(params=[luajit20, luajit21], ids=["luajit20", "luajit21"])
def runtime(request: pytest.FixtureRequest) -> Any:
    return request.param.LuaRuntime(encoding="latin-1", unpack_returned_tuples=True)


class Programs(NamedTuple):
    sign: str
    clear: str
    everywhere: str


@pytest.fixture
def programs(write: Callable[..., Path], iam: Any) -> Programs:
    """Give the programs of a rendered file: of the service, of its public paths, of all routes."""
    keys = [{"kid": "2026-11", "algorithm": "ES256", "pem": iam.pem}]
    rendered = yaml.safe_load(render(write(keys=keys), "kong"))

    def of(plugins: list[Any]) -> str:
        (program,) = [item["config"]["access"][0] for item in plugins if item["name"] == "post-function"]
        return str(program)

    service, public = rendered["services"]
    return Programs(of(service["plugins"]), of(public["plugins"]), of(rendered["plugins"]))


SPOOFED: Headers = [
    ("X-User-Id", "b0b000000000000000000002"),
    ("x-user-id", "b0b000000000000000000003"),
    ("X-User-Superuser", "true"),
    ("X_User_Superuser", "true"),
    ("X-User_Id", "b0b000000000000000000002"),
    ("X_User-Id", "b0b000000000000000000002"),
    ("X-Gateway-Signature", "v1=" + "0" * 64),
    ("X-Gateway-Timestamp", "1"),
    ("X-Consumer-Groups", "admins"),
    ("X-Authenticated-UserId", "root"),
    ("X-Userinfo", "e30="),
    ("Accept", "application/json"),
]


def python_signature(answer: Answer, *, method: str = "GET", service: str = "strategy-service") -> str:
    """Sign what the service gets, in the format of the specification, without any code of ours."""
    values = [(answer.values(name) or [""])[0] for name in IDENTITY_HEADERS]
    (timestamp,), (nonce,) = answer.values("X-Gateway-Timestamp"), answer.values("X-Gateway-Nonce")
    message = "\n".join(["v1", timestamp, nonce, service, method, *values])
    return "v1=" + hmac.digest(KEY.encode(), message.encode("latin-1"), "sha256").hex()


def proof_of(answer: Answer, *, method: str = "GET", service: str = "strategy-service", key: str = KEY) -> str | None:
    """Let the service's own check judge what it gets."""
    proof = HmacProof([key.encode()], service_name=service, max_skew_seconds=30, memory=10, clock=lambda: NOW + 5)
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers]
    scope = {"type": "http", "method": method, "headers": headers}
    evidence = proof.check(scope, collect(scope))
    return evidence.proof if evidence else None


def test_identity_of_a_token(runtime: Any, programs: Programs, iam: Any) -> None:
    """A verified token becomes identity headers, signed so that the service believes them."""
    answer = Kong(runtime, [("Accept", "*/*")]).run(programs.sign, token=iam.token())

    assert answer.identity == {
        "X-User-Id": "a11ce0000000000000000001",
        "X-User-Email": "alice@example.com",
        "X-User-Verified": "true",
        "X-User-Active": "true",
        "X-User-Superuser": "false",
        "X-User-Roles": "trader,user",
        "X-Session-Id": "s1",
    }
    assert answer.values("X-Gateway-Timestamp") == [str(NOW)]
    assert answer.values("X-Gateway-Signature") == [python_signature(answer)]
    assert proof_of(answer) == "hmac"


def test_spoofed_headers_are_replaced(runtime: Any, programs: Programs, iam: Any) -> None:
    """What a logged-in client says about a caller is gone, also twice and under look-alike names."""
    answer = Kong(runtime, SPOOFED).run(programs.sign, token=iam.token())

    assert (answer.identity["X-User-Id"], answer.identity["X-User-Superuser"]) == ("a11ce0000000000000000001", "false")
    assert [name for name, _ in answer.headers if "_" in name] == []
    assert answer.values("X-Consumer-Groups") == []
    assert proof_of(answer) == "hmac"


@pytest.mark.parametrize("which", ["sign", "clear", "everywhere"])
def test_anonymous_request_is_cleared(runtime: Any, programs: Programs, which: str) -> None:
    """Without a verified token nothing is left of what the client says, and nothing is put in its place."""
    everything = [*SPOOFED, *((name, "spoofed") for name in CLEARED)]
    answer = Kong(runtime, everything).run(getattr(programs, which))

    assert (answer.headers, answer.status) == ([("Accept", "application/json")], None)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({"token": None}, id="no-token"),
        pytest.param({"credential": False}, id="anonymous-consumer"),
        pytest.param({"token": 7}, id="not-a-text"),
    ],
)
def test_without_credential(runtime: Any, programs: Programs, iam: Any, state: dict[str, Any]) -> None:
    """A token that the jwt plugin has not verified counts for nothing, and spoofed headers are gone."""
    answer = Kong(runtime, SPOOFED).run(programs.sign, **{"token": iam.token(), **state})

    assert (answer.headers, answer.status) == ([("Accept", "application/json")], None)


def test_base64url(runtime: Any, programs: Programs, iam: Any) -> None:
    """Payloads whose base64url holds `-` and `_`, of every length, are read."""
    seen = set()
    for number in range(40):
        email = "?" * number + "~>>>???@example.com"
        token = iam.token(email=email)
        answer = Kong(runtime, []).run(programs.sign, token=token)
        seen |= set("-_") & set(token.split(".")[1])
        seen.add(len(token.split(".")[1]) % 4)

        assert answer.identity["X-User-Email"] == email
        assert answer.values("X-Gateway-Signature") == [python_signature(answer)]
    assert {"-", "_", 0, 2, 3} <= seen


def test_non_ascii_email(runtime: Any, programs: Programs, iam: Any) -> None:
    """An address outside of ASCII goes as UTF-8, and the proof covers its bytes."""
    answer = Kong(runtime, []).run(programs.sign, token=iam.token(email="zoë@例え.jp"))

    assert answer.identity["X-User-Email"].encode("latin-1").decode() == "zoë@例え.jp"
    assert proof_of(answer) == "hmac"


@pytest.mark.parametrize("absent", ["email", "email_verified", "active", "su", "roles", "sid"])
@pytest.mark.parametrize("is_null", [True, False])
def test_absent_claim(runtime: Any, programs: Programs, iam: Any, absent: str, is_null: bool) -> None:
    """A claim that is absent or null is a header that is absent, and an empty line in the proof."""
    head, _, signature = iam.token().split(".")
    claims = {**iam.claims(), absent: None}
    if not is_null:
        del claims[absent]
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    answer = Kong(runtime, SPOOFED).run(programs.sign, token=f"{head}.{payload}.{signature}")

    assert len(answer.identity) == len(IDENTITY_HEADERS) - 1
    assert proof_of(answer) == "hmac"


REFUSED = [
    pytest.param({"email": "a@example.com\nX-User-Superuser: true"}, id="newline"),
    pytest.param({"sid": "s1\r"}, id="carriage-return"),
    pytest.param({"sid": "s1\x00"}, id="nul"),
    pytest.param({"email": "a@example.com\x7f"}, id="delete"),
    pytest.param({"email": " a@example.com"}, id="blank-before"),
    pytest.param({"sid": "s1\t"}, id="tab-behind"),
    pytest.param({"roles": ["user", "a\nb"]}, id="newline-in-role"),
    pytest.param({"roles": ["user,admin"]}, id="comma-in-role"),
    pytest.param({"roles": [["admin"]]}, id="list-in-roles"),
    pytest.param({"roles": {"admin": True}}, id="object-as-roles"),
    pytest.param({"email": "a" * 1025}, id="too-long"),
    pytest.param({"sub": 7}, id="number-as-subject"),
    pytest.param({"sub": None}, id="no-subject"),
    pytest.param({"aud": "other"}, id="other-audience"),
    pytest.param({"aud": ["mysingle"]}, id="list-of-audiences"),
    pytest.param({"iss": "https://evil.example.com"}, id="other-issuer"),
    pytest.param({"header": {"typ": "JWT"}}, id="other-type"),
    pytest.param({"header": {"typ": "service+jwt"}}, id="service-token"),
]


@pytest.mark.parametrize("changes", REFUSED)
def test_refused_claims(runtime: Any, programs: Programs, iam: Any, changes: dict[str, Any]) -> None:
    """A token that Kong has verified and that is still none of ours is 401, and leaves no identity behind."""
    answer = Kong(runtime, SPOOFED).run(programs.sign, token=iam.token(**changes))

    assert (answer.status, answer.identity) == (401, {})
    assert answer.body is not None
    assert answer.answer_headers is not None
    assert answer.body == {
        "type": "https://docs.mysingle.dev/errors/TOKEN_INVALID",
        "title": "Token invalid",
        "status": 401,
        "code": "TOKEN_INVALID",
        "detail": "The access token is not accepted.",
    }
    assert answer.answer_headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "..", "e30.e30.x", "e30.!!.x"])
def test_malformed_token(runtime: Any, programs: Programs, token: str) -> None:
    """A text that is no token of ours is 401."""
    assert Kong(runtime, SPOOFED).run(programs.sign, token=token).status == 401


@pytest.mark.parametrize("key", [None, "", "short"])
def test_key_that_cannot_be_used(runtime: Any, programs: Programs, iam: Any, key: str | None) -> None:
    """Without a key of 32 bytes nothing is signed: 503, and no identity without a proof."""
    answer = Kong(runtime, SPOOFED).run(programs.sign, token=iam.token(), key=key)

    assert (answer.status, answer.identity) == (503, {})
    assert answer.body is not None
    assert answer.body["title"] == "Authentication temporarily unavailable"


@pytest.mark.parametrize(
    "change", [{"service": "order-service"}, {"method": "POST"}], ids=["other-service", "other-method"]
)
def test_proof_is_for_one_request(runtime: Any, programs: Programs, iam: Any, change: dict[str, str]) -> None:
    """The proof is worth nothing for another service or method."""
    answer = Kong(runtime, []).run(programs.sign, token=iam.token())

    assert python_signature(answer, **change) != answer.values("X-Gateway-Signature")[0]
    with pytest.raises(UnauthenticatedError, match="not valid"):
        proof_of(answer, **change)


def test_key_of_a_service(runtime: Any, write: Callable[..., Path], iam: Any) -> None:
    """Each service is signed for with its own key, from where the list says it is, and another key fits no proof."""
    keys = [{"kid": "2026-11", "algorithm": "ES256", "pem": iam.pem}]
    listed = [
        {"name": "strategy-service", "url": "http://strategy:8000", "paths": ["/strategies"]},
        {"name": "order-service", "url": "http://order:8000", "paths": ["/orders"], "hmac_key": "env:ORDER_HMAC_KEY"},
    ]
    config = yaml.safe_load(render(write(keys=keys, services=listed), "kong"))
    strategy, order = (service["plugins"][1]["config"]["access"][0] for service in config["services"])
    own = {"service": "order-service", "reference": "{vault://env/order-hmac-key}", "key": "another-key-" + KEY}

    shared = Kong(runtime, SPOOFED).run(strategy, token=iam.token())
    answer = Kong(runtime, SPOOFED).run(order, token=iam.token(), **own)

    assert proof_of(shared) == proof_of(answer, service="order-service", key=own["key"]) == "hmac"
    with pytest.raises(UnauthenticatedError, match="not valid"):
        proof_of(answer, service="order-service")


def test_changed_superuser(runtime: Any, programs: Programs, iam: Any) -> None:
    """The proof breaks when somebody behind the gateway makes the caller a superuser."""
    answer = Kong(runtime, []).run(programs.sign, token=iam.token())
    changed = [(name, "true" if name == "X-User-Superuser" else value) for name, value in answer.headers]

    with pytest.raises(UnauthenticatedError, match="not valid"):
        proof_of(answer._replace(headers=changed))


def test_nonces_differ(runtime: Any, programs: Programs, iam: Any) -> None:
    """Two requests with the same token, in the same moment, have different nonces."""
    token = iam.token()
    nonces = {Kong(runtime, []).run(programs.sign, token=token).values("X-Gateway-Nonce")[0] for _ in range(50)}

    assert len(nonces) == 50


def test_vector() -> None:
    """The message format gives the signature of the published test vector."""
    values = ["507f1f77bcf86cd799439011", "u@x.com", "true", "true", "false", "user,trader", "s1"]
    headers = [*zip(IDENTITY_HEADERS, values, strict=True), ("X-Gateway-Timestamp", str(NOW))]
    answer = Answer([*headers, ("X-Gateway-Nonce", "ab" * 16)], None, None, None)

    assert python_signature(answer) == "v1=8b769869b2887413527c03bcb04df3a70ce2ae65e59f53d3b58fef69f8fc0052"


def test_time_is_now(runtime: Any, programs: Programs, iam: Any) -> None:
    """The timestamp is the gateway's clock in seconds."""
    answer = Kong(runtime, []).run(programs.sign, token=iam.token(), clock=time.time())

    assert abs(int(answer.values("X-Gateway-Timestamp")[0]) - time.time()) < 60
