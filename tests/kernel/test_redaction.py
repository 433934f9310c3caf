import dataclasses
import subprocess
import sys
from collections import OrderedDict, deque, namedtuple
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, SecretBytes, SecretStr

from mysingle._kernel.console import ConsoleFormat
from mysingle._kernel.context import RequestContext
from mysingle._kernel.log_record import JsonFormat, LogRecord
from mysingle._kernel.redaction import MASK, redact, redact_text

SECRET = "hunter2hunter2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.hunter2hunter2"

SECRET_KEYS = [
    "password",
    "PASSWORD",
    "user_password",
    "passwd",
    "passphrase",
    "secret",
    "client_secret",
    "access_token",
    "refreshToken",
    "Authorization",
    "proxy-authorization",
    "cookie",
    "Set-Cookie",
    "api_key",
    "apikey",
    "X-Api-Key",
    "private_key",
    "aws_credentials",
    "signature",
    "X-Gateway-Signature",
]

TEXTS = [
    ("jwt", f"token is {JWT}."),
    ("bearer", f"Authorization: Bearer {SECRET}"),
    ("bearer lower", f"bearer {SECRET}"),
    ("bearer upper", f"BEARER  {SECRET}"),
    ("basic", f"Basic {SECRET}=="),
    ("url", f"mongodb://user:{SECRET}@host/db"),
    ("url without user", f"redis://:{SECRET}@host"),
    ("pair", f"connect password={SECRET} host=a"),
    ("json pair", f'{{"password": "{SECRET}"}}'),
    ("repr pair", f"{{'api_key': '{SECRET}'}}"),
    ("query", f"/path?access_token={SECRET}&a=1"),
    ("prefixed pair", f"redis_password: {SECRET}"),
    ("refresh", f"refresh_token={SECRET}"),
    ("two", f"password={SECRET} secret={SECRET}"),
    ("client secret", f"client_secret={SECRET}"),
    ("aws", f"AWS_SECRET_ACCESS_KEY={SECRET}"),
    ("token", f"token={SECRET}"),
    ("header", f"X-Api-Key: {SECRET}"),
    ("other scheme", f"Authorization: Token {SECRET}"),
    ("cookie", f"Cookie: session={SECRET}"),
    ("quoted words", f"{{'password': 'two words {SECRET}'}}"),
    ("quoted comma", f'"password": "a,{SECRET}"'),
    ("pass with space", f"PASSWORD = {SECRET}"),
]


class Model(BaseModel):
    name: str = "n"
    password: str = SECRET


@dataclasses.dataclass
class Record:
    password: str = SECRET
    inner: Any = None


class Named(namedtuple("Named", "text")):
    pass


VALUES: list[tuple[str, Any]] = [
    ("secret str", SecretStr(SECRET)),
    ("secret bytes", SecretBytes(SECRET.encode())),
    ("key", {"password": SECRET}),
    ("key of any type", {"password": {"nested": [SECRET]}}),
    ("bytes key", {b"password": SECRET}),
    ("list", [f"Bearer {SECRET}"]),
    ("tuple", (f"Bearer {SECRET}",)),
    ("set", {f"Bearer {SECRET}"}),
    ("frozenset", frozenset({f"Bearer {SECRET}"})),
    ("ordered dict", OrderedDict(secret=SECRET)),
    ("named tuple", Named(f"Bearer {SECRET}")),
    ("deque", deque([f"Bearer {SECRET}"])),
    ("dict values", {"a": f"Bearer {SECRET}"}.values()),
    ("exception", RuntimeError(f"redis://u:{SECRET}@host")),
    ("namespace", SimpleNamespace(password=SECRET)),
    ("model", Model()),
    ("model inside", {"a": [Model()]}),
    ("dataclass", Record()),
    ("dataclass inside", [Record(inner=Record())]),
    ("url object", AnyUrl(f"redis://u:{SECRET}@host")),
    ("bytes", f"Bearer {SECRET}".encode()),
    ("text as key", {f"Bearer {SECRET}": 1}),
]


def json_sink(value: Any, key: str = "value") -> str:
    record = LogRecord(0.0, "info", "body", RequestContext(), {key: redact(value)})
    return JsonFormat({"service.name": "s"}).line(record).decode()


def console_sink(value: Any, key: str = "value") -> str:
    return ConsoleFormat().line(LogRecord(0.0, "info", "body", RequestContext(), {key: redact(value)})).decode()


SINKS = pytest.mark.parametrize("sink", [json_sink, console_sink], ids=["json", "console"])


@pytest.mark.parametrize("text", [row[1] for row in TEXTS], ids=[row[0] for row in TEXTS])
@SINKS
def test_text(text: str, sink: Any) -> None:
    """A secret that is known by its look is masked inside of any text."""
    assert SECRET not in redact_text(text)
    assert MASK in redact_text(text)
    assert SECRET not in sink(text)


@pytest.mark.parametrize("part", ["a-", "password", "eyJ", "x://", "token ", "secret_"])
def test_long_text_ends(part: str) -> None:
    """A hostile text does not hold the event loop: work that grows with the square of the length would take minutes."""
    code = f"from mysingle._kernel.redaction import redact_text; redact_text({part!r} * 100_000 + ' passw')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


HARMLESS = [
    "the basics of tokens",
    "a secret place",
    "https://host/path?a=1",
    "mongodb://host:27017/db",
    "http://host:8080/@handle",
    "eyJ is how a token begins",
    "bearer of news",
    "12:30:00",
    "",
    "user@example.com",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text(text: str) -> None:
    """Text without a secret stays as it is."""
    assert text == redact_text(text)


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_key(key: str) -> None:
    """A key that names a secret masks whatever stands behind it."""
    assert redact({key: SECRET}) == {key: MASK}
    assert redact({key: {"deep": [SECRET]}}) == {key: MASK}


@pytest.mark.parametrize("value", [row[1] for row in VALUES], ids=[row[0] for row in VALUES])
@SINKS
def test_value(value: Any, sink: Any) -> None:
    """A secret inside of a value of any type reaches no sink."""
    line = sink(value)

    assert SECRET not in line
    assert "aHVudGVy" not in line  # its base64


def plant(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner.map(lambda value: {"item": value}),
        inner.map(lambda value: [1, value]),
        inner.map(lambda value: (value, None)),
        inner.map(lambda value: Record(password="", inner=value)),
        inner.map(lambda value: deque([value])),
    )


planted = st.recursive(
    st.sampled_from([{"password": SECRET}, SecretStr(SECRET), f"Bearer {SECRET}", Model(), RuntimeError(JWT)]),
    plant,
    max_leaves=12,
)


@given(value=planted)
def test_any_depth(value: Any) -> None:
    """A planted secret reaches neither sink, at any depth and inside of any container."""
    assert SECRET not in json_sink(value)
    assert SECRET not in console_sink(value)


def test_very_deep() -> None:
    """What lies too deep to be looked at is masked as a whole."""
    value: Any = SECRET
    for _ in range(500):
        value = [value]

    assert SECRET not in str(redact(value))


def test_does_not_change_its_argument() -> None:
    """Redaction works on a copy."""
    value = {"password": SECRET, "list": [{"secret": 1}]}
    redact(value)

    assert value == {"password": SECRET, "list": [{"secret": 1}]}


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "count"]), inner),
        max_leaves=6,
    )
)
def test_harmless_values(value: Any) -> None:
    """Numbers, and containers of them, stay as they are."""
    assert value == redact(value)
