"""Who is believed."""

from collections.abc import Callable
from typing import Any

import pytest

import grpc
from mysingle._kernel.call_identity import CallSigner, CallVerifier, key_for
from mysingle._kernel.context import RequestContext, use_context
from mysingle._kernel.errors import MySingleError, UnauthenticatedError, translate
from mysingle._kernel.identity import AuthenticatedUser
from mysingle.cli import main
from mysingle.core.config import CommonSettings
from mysingle.grpc import GrpcConfigError, GrpcServerConfig, Trust
from mysingle.protos.market_data.v1 import market_data_pb2_grpc
from mysingle.testing import Faults, grpc_pair

KEY, OLD, FOREIGN = "k" * 40, "o" * 40, "f" * 40
GET_BARS = "/mysingle.market_data.v1.MarketDataService/GetBars"
SIGNED = {"trust": Trust.SIGNED, "keys": (KEY.encode(), OLD.encode())}


def reason_of(error: BaseException) -> str:
    told = translate(error)
    assert told is not None
    return told.reason


def metadata(
    callee: str = "test",
    method: str = GET_BARS,
    key: str = KEY,
    user: str = "",
    stated: str = "",
    caller: str = "a-service",
) -> Any:
    from mysingle._kernel.errors import add_translator
    from mysingle.grpc import error_of_call

    add_translator(grpc.aio.AioRpcError, error_of_call)
    signer = CallSigner([key.encode()], caller)
    user = user or "a11ce0000000000000000001"
    return [
        ("authorization", f"Bearer {signer.token(callee)}"),
        ("x-user-context", signer.user(callee, method, AuthenticatedUser(id=user))),
        ("user-id", stated or user),
    ]


@pytest.mark.parametrize("key", [KEY, OLD], ids=["current", "being replaced"])
async def test_signed(key: str, rpc: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with a key proves itself, and its user arrives with everything that is known of them."""
    monkeypatch.setenv("GRPC_SERVICE_KEYS", key)
    user = AuthenticatedUser(id=rpc.USER, email="a@example.com", is_verified=True, roles=frozenset({"trader", "user"}))
    async with grpc_pair(rpc.register, **SIGNED) as pair:
        with use_context(RequestContext("c", user=user)):
            async with rpc.Client(pair.host, user_id=None) as client:
                await client.market.GetBars(rpc.bars("x"))
                await client.market.GetBars(rpc.bars("x"))
    seen = rpc.market.contexts[1].user

    assert (seen.id, seen.email, seen.is_verified, seen.roles) == (user.id, user.email, True, user.roles)
    assert seen.auth_method == "service"


FORGED: dict[str, tuple[Callable[[], Any], str]] = {
    "no proof": (lambda: [("user-id", "a11ce0000000000000000001")], "SERVICE_TOKEN_MISSING"),
    "nothing": (list, "SERVICE_TOKEN_MISSING"),
    "no bearer": (lambda: [("authorization", "Basic x")], "SERVICE_TOKEN_MISSING"),
    "garbage": (lambda: [("authorization", "Bearer a.b.c")], "SERVICE_TOKEN_INVALID"),
    "unpadded": (lambda: [("authorization", "Bearer ====")], "SERVICE_TOKEN_INVALID"),
    "oversized": (lambda: [("authorization", "Bearer " + "a" * 6000)], "SERVICE_TOKEN_INVALID"),
    "foreign key": (lambda: metadata(key=FOREIGN), "SERVICE_TOKEN_INVALID"),
    "other callee": (lambda: metadata(callee="other"), "SERVICE_TOKEN_INVALID"),
    "other method": (lambda: metadata(method="/x/Y"), "USER_CONTEXT_INVALID"),
    "other user": (lambda: metadata(stated="b0b000000000000000000002"), "IDENTITY_MISMATCH"),
    "user unsigned": (lambda: [metadata()[0], metadata()[2]], "IDENTITY_MISMATCH"),
    "service for nobody": (lambda: [metadata()[0]], "AUTH_REQUIRED"),
    "user id malformed": (lambda: [*metadata()[:2], ("user-id", "x")], "IDENTITY_MALFORMED"),
    "user id twice": (lambda: [*metadata(), ("user-id", "b0b000000000000000000002")], "IDENTITY_MALFORMED"),
    "signed user garbage": (lambda: [metadata()[0], ("x-user-context", "a.b")], "USER_CONTEXT_INVALID"),
    "signed user cut": (lambda: [metadata()[0], ("x-user-context", metadata()[1][1][:-2])], "USER_CONTEXT_INVALID"),
}


OWN = {"trust": Trust.SIGNED, "caller_keys": {"a-service": (key_for("test", KEY.encode()),)}}


async def call_with(rpc: Any, pairs: Any, config: Any) -> str:
    """Return the reason of a call's refusal; empty when it was let in."""
    async with grpc_pair(rpc.register, **config) as pair, grpc.aio.insecure_channel(pair.host) as channel:
        try:
            await market_data_pb2_grpc.MarketDataServiceStub(channel).GetBars(rpc.bars("x"), metadata=pairs)
        except grpc.aio.AioRpcError as error:
            return reason_of(error)
    return ""


@pytest.mark.parametrize(
    ("caller", "key", "reason"),
    [
        ("a-service", KEY, ""),
        ("A_Service", KEY, ""),
        ("b-service", KEY, "SERVICE_TOKEN_INVALID"),
        ("a-service", FOREIGN, "SERVICE_TOKEN_INVALID"),
        ("", KEY, "SERVICE_TOKEN_INVALID"),
    ],
    ids=["its own", "spelled otherwise", "in the name of another", "the key of another", "nameless"],
)
async def test_keys_of_callers(caller: str, key: str, reason: str, rpc: Any) -> None:
    """With keys of callers each one speaks for itself alone, and others for nobody."""
    assert await call_with(rpc, metadata(key=key, caller=caller), OWN) == reason


async def test_broken_callee(rpc: Any) -> None:
    """What one callee knows of a caller is of no use at another one, nor as the secret of the caller."""
    known_there = key_for("other", KEY.encode())
    fake = _resigned_by(known_there)

    assert await call_with(rpc, fake, OWN) == "SERVICE_TOKEN_INVALID"
    assert await call_with(rpc, metadata(key=known_there.hex()), OWN) == "SERVICE_TOKEN_INVALID"


def _resigned_by(key: bytes) -> Any:
    """Return what somebody with one derived key would send."""
    signer = CallSigner([KEY.encode()], "a-service")
    signer._keys["test"] = key
    user = AuthenticatedUser(id="a11ce0000000000000000001")
    return [
        ("authorization", f"Bearer {signer.token('test')}"),
        ("x-user-context", signer.user("test", GET_BARS, user)),
        ("user-id", user.id),
    ]


def test_caller_key_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints what the callee's setting takes, and the callee then believes that caller."""
    monkeypatch.setenv("GRPC_SERVICE_KEYS", KEY)
    with pytest.raises(SystemExit) as ended:
        main(["keys", "test-service", "--caller", "a-service"])
    printed = capsys.readouterr().out.strip()
    settings = CommonSettings(_env_file=None, ENVIRONMENT="production", GRPC_SERVICE_KEYS="", GRPC_CALLER_KEYS=printed)
    config = GrpcServerConfig.from_settings(settings, "test-service")

    assert (ended.value.code, config.trust) == (0, Trust.SIGNED)
    assert config.caller_keys == {"a-service": (key_for("test", KEY.encode()),)}


@pytest.mark.parametrize("pairs", ["a-service", "a-service:short", "A:" + "0" * 64, ":" + "0" * 64])
def test_ill_formed_caller_keys(pairs: str) -> None:
    """A pair that is none is found at the start."""
    with pytest.raises(ValueError, match="mysingle keys"):
        CommonSettings(_env_file=None, GRPC_CALLER_KEYS=pairs)


@pytest.mark.parametrize("case", FORGED)
async def test_refused(case: str, rpc: Any) -> None:
    """Whatever is missing, forged, or made for somebody else is refused, with its reason; the handler does not run."""
    make, reason = FORGED[case]
    pairs = make()
    async with grpc_pair(rpc.register, **SIGNED) as pair, grpc.aio.insecure_channel(pair.host) as channel:
        stub = market_data_pb2_grpc.MarketDataServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetBars(rpc.bars("x"), metadata=pairs)

    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.UNAUTHENTICATED, reason)
    assert rpc.market.calls == []


async def test_replay(rpc: Any) -> None:
    """A signed user is good for one call."""
    pairs = metadata()
    async with grpc_pair(rpc.register, **SIGNED) as pair, grpc.aio.insecure_channel(pair.host) as channel:
        stub = market_data_pb2_grpc.MarketDataServiceStub(channel)
        await stub.GetBars(rpc.bars("x"), metadata=pairs)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetBars(rpc.bars("x"), metadata=pairs)

    assert reason_of(caught.value) == "USER_CONTEXT_REPLAYED"


async def test_retry_is_no_replay(rpc: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry of an idempotent method, which repeats the signature, is let in once for each attempt."""
    monkeypatch.setenv("GRPC_SERVICE_KEYS", KEY)
    faults = Faults(abort_after=grpc.StatusCode.UNAVAILABLE, times=1, method="GetBars")
    async with grpc_pair(rpc.register, faults=faults, **SIGNED) as pair, rpc.Client(pair.host) as client:
        await client.market.GetBars(rpc.bars("x"))

    assert len(rpc.market.calls) == 2


def test_expired_user() -> None:
    """A signed user from too long ago is refused."""
    verifier = CallVerifier([KEY.encode()], "test", max_skew_seconds=30)
    signer = CallSigner([KEY.encode()], "a")
    signed = signer.user("test", "/x/Y", AuthenticatedUser(id="a" * 24))
    stale = _resigned(signed, -31)

    with pytest.raises(UnauthenticatedError) as caught:
        verifier.verify(f"Bearer {signer.token('test')}", stale, "/x/Y")
    assert caught.value.reason == "USER_CONTEXT_EXPIRED"


def _resigned(signed: str, seconds: int) -> str:
    from mysingle._kernel.call_identity import _decode, _encode, _mac, key_for

    fields = _decode(signed.partition(".")[0]).decode().split("\n")
    fields[1] = str(int(fields[1]) + seconds)
    message = "\n".join(fields).encode()
    return f"{_encode(message)}.{_encode(_mac(key_for('test', KEY.encode()), message))}"


NOTHING = "nothing is configured"


@pytest.mark.parametrize(
    ("environment", "given", "trust", "starts"),
    [
        ("development", {}, Trust.RELAXED, True),
        ("testing", {}, Trust.RELAXED, True),
        ("testing", {"GRPC_SERVICE_KEYS": KEY}, Trust.SIGNED, True),
        ("staging", {}, Trust.NOTHING, False),
        ("production", {}, Trust.NOTHING, False),
        ("prod", {}, Trust.NOTHING, False),
        ("production", {"GRPC_SERVICE_KEYS": KEY}, Trust.SIGNED, True),
        ("production", {"GRPC_TRUST": "network"}, Trust.NETWORK, True),
        (None, {}, Trust.NOTHING, True),
        (None, {"GRPC_SERVICE_KEYS": KEY}, Trust.SIGNED, True),
    ],
)
def test_start_rules(
    environment: str | None, given: dict[str, str], trust: Trust, starts: bool, monkeypatch: Any
) -> None:
    """A bare user id is believed in development, or where that was asked for; production wants a proof."""
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    if environment is not None:
        given = {**given, "ENVIRONMENT": environment}
    config = GrpcServerConfig.from_settings(CommonSettings(_env_file=None, **given), "test-service", 0)

    assert (config.trust, not config.problems) == (trust, starts)


@pytest.mark.parametrize("trust", [Trust.NOTHING, Trust.NETWORK], ids=["unset", "network"])
async def test_bare_user_id(trust: Trust, rpc: Any) -> None:
    """Outside of development a bare user id is refused, unless the network is trusted."""
    async with grpc_pair(rpc.register, trust=trust) as pair, rpc.Client(pair.host) as client:
        if trust is Trust.NETWORK:
            await client.market.GetBars(rpc.bars("x"))
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.market.GetBars(rpc.bars("x"))
            assert reason_of(caught.value) == "SERVICE_TOKEN_MISSING"


async def test_no_user(rpc: Any) -> None:
    """A call for nobody is refused, except where the method needs nobody."""
    async with grpc_pair(rpc.register, exempt_methods=["mysingle.notification.v1.NotificationService/*"]) as pair:
        async with rpc.Client(pair.host, user_id=None) as client:
            assert await rpc.finish("stream_unary", rpc.start("stream_unary", client, "x"))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.market.GetBars(rpc.bars("x"))

    assert reason_of(caught.value) == "AUTH_REQUIRED"


async def test_unsafe_start(rpc: Any) -> None:
    """What production refuses ends the start with what to set."""
    config = {"problems": ("set GRPC_SERVICE_KEYS",)}
    with pytest.raises(GrpcConfigError, match="GRPC_SERVICE_KEYS"):
        async with grpc_pair(rpc.register, **config):
            pass


def test_errors_are_of_the_family() -> None:
    """A configuration error is one of ours, so that the start says it in one line."""
    assert issubclass(GrpcConfigError, MySingleError)
