import re
import time
import uuid
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle._kernel.context import RequestContext
from mysingle._kernel.identity import AuthenticatedUser
from mysingle._kernel.propagation import (
    CORRELATION_HEADERS,
    IDENTITY_HEADERS,
    clean_id,
    from_headers,
    from_metadata,
    new_id,
    to_headers,
    to_metadata,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01".encode()
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

ids = st.from_regex(r"[A-Za-z0-9._:#-]{1,128}", fullmatch=True)
traceparents = st.builds(
    "00-{}-{}-{}".format,
    st.from_regex(r"[0-9a-f]{32}", fullmatch=True).filter(lambda text: set(text) != {"0"}),
    st.from_regex(r"[0-9a-f]{16}", fullmatch=True).filter(lambda text: set(text) != {"0"}),
    st.from_regex(r"[0-9a-f]{2}", fullmatch=True),
)
states = st.from_regex(r"[a-z][a-z0-9]{0,8}=[!-+\--<>-~]{1,100}", fullmatch=True)
contexts = st.builds(RequestContext, ids, ids, st.none(), st.none(), st.none(), st.none()) | st.builds(
    RequestContext, ids, ids, traceparents, st.none() | states, st.none(), st.none()
)


def read(*headers: tuple[str, bytes]) -> RequestContext:
    return from_headers({name.lower().encode(): value for name, value in headers})


def test_names() -> None:
    """The names on the wire are those of the contract, in their order."""
    assert CORRELATION_HEADERS == ("Correlation-Id", "X-Correlation-Id", "X-Request-Id", "Kong-Request-Id")
    assert IDENTITY_HEADERS == (
        "X-User-Id",
        "X-User-Email",
        "X-User-Verified",
        "X-User-Active",
        "X-User-Superuser",
        "X-User-Roles",
        "X-Session-Id",
    )
    everything = RequestContext(
        correlation_id="c",
        request_id="r",
        traceparent=VALID.decode(),
        tracestate="a=1",
        user=AuthenticatedUser(id="0" * 24),
    )
    assert list(to_metadata(everything)) == ["user-id", "correlation-id", "request-id", "traceparent", "tracestate"]


@pytest.mark.parametrize("first", range(4), ids=CORRELATION_HEADERS)
@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "reversed"])
def test_priority(first: int, backwards: bool) -> None:
    """The correlation id is the first in priority, in whatever order the headers come."""
    headers = [(name, f"id-{rank}".encode()) for rank, name in enumerate(CORRELATION_HEADERS)][first:]

    assert f"id-{first}" == read(*(reversed(headers) if backwards else headers)).correlation_id


ILL_FORMED = [
    b"",
    b" ",
    b"a b",
    b"a\nb",
    b"a\n",
    b"\x00",
    b"a\r\nX-User-Id: 1",
    "é".encode(),
    b"\xff",
    b"a" * 129,
    b"<script>",
    b'"',
    b"a,b",
    b"${jndi:ldap://x}",
]


@pytest.mark.parametrize("value", ILL_FORMED, ids=repr)
def test_ill_formed_id(value: bytes) -> None:
    """An ill-formed id is replaced, never echoed, and does not hide a well-formed one of lower priority."""
    context = read(("Correlation-Id", value), ("X-Request-Id", value))
    second = read(("Correlation-Id", value), ("Kong-Request-Id", b"good#1"))

    assert clean_id(value) is None
    assert UUID7.fullmatch(context.correlation_id or "")
    assert context.request_id == context.correlation_id
    assert second.correlation_id == "good#1"


def test_request_id() -> None:
    """`X-Request-Id` names the request; without one it is named like the action."""
    assert read(("Correlation-Id", b"c"), ("X-Request-Id", b"r")) == RequestContext(correlation_id="c", request_id="r")
    assert read(("Correlation-Id", b"c")) == RequestContext(correlation_id="c", request_id="c")
    assert read(("X-Request-Id", b"r")) == RequestContext(correlation_id="r", request_id="r")


def test_identity_is_not_read() -> None:
    """No header and no metadata makes a caller: that needs a proof."""
    identity = [(name, b"0" * 24) for name in IDENTITY_HEADERS]

    assert read(*identity).user is None
    assert from_metadata({"user-id": "0" * 24}).user is None


TRACEPARENTS = [
    ("valid", VALID, True),
    ("not sampled", f"00-{TRACE}-{SPAN}-00".encode(), True),
    ("unknown flags", f"00-{TRACE}-{SPAN}-ff".encode(), True),
    ("later version", f"01-{TRACE}-{SPAN}-01".encode(), True),
    ("version ff", f"ff-{TRACE}-{SPAN}-01".encode(), False),
    ("no trace", f"00-{'0' * 32}-{SPAN}-01".encode(), False),
    ("no span", f"00-{TRACE}-{'0' * 16}-01".encode(), False),
    ("upper case", VALID.upper(), False),
    ("short trace", f"00-{TRACE[1:]}-{SPAN}-01".encode(), False),
    ("long span", f"00-{TRACE}-{SPAN}0-01".encode(), False),
    ("one flag digit", f"00-{TRACE}-{SPAN}-1".encode(), False),
    ("version 00 with more", VALID + b"-extra", False),
    ("not hex", f"00-{TRACE[:-1]}g-{SPAN}-01".encode(), False),
    ("no dashes", VALID.replace(b"-", b"_"), False),
    ("line break", VALID + b"\n", False),
    ("padded", b" " + VALID, False),
    ("empty", b"", False),
    ("not ascii", VALID[:-1] + b"\xff", False),
]


@pytest.mark.parametrize(("value", "valid"), [row[1:] for row in TRACEPARENTS], ids=[row[0] for row in TRACEPARENTS])
def test_traceparent(value: bytes, valid: bool) -> None:
    """A `traceparent` is taken over exactly when W3C Trace Context calls it valid, and `tracestate` only with it."""
    context = read(("traceparent", value), ("tracestate", b"a=1"))

    assert (value.decode() if valid else None) == context.traceparent
    assert ("a=1" if valid else None) == context.tracestate


TRACESTATES = [
    ("longest", b"a=" + b"1" * 510, True),
    ("too long", b"a=" + b"1" * 511, False),
    ("not ascii", "a=é".encode(), False),
    ("line break", b"a=1\r\nx-user-id: 1", False),
    ("nul", b"a=\x00", False),
    ("tab", b"a=1,\tb=2", False),
]


@pytest.mark.parametrize(("value", "taken"), [row[1:] for row in TRACESTATES], ids=[row[0] for row in TRACESTATES])
def test_tracestate(value: bytes, taken: bool) -> None:
    """A `tracestate` is forwarded only when it is short and printable, as gRPC metadata must be."""
    context = read(("traceparent", VALID), ("tracestate", value))

    assert (value.decode("latin-1") if taken else None) == context.tracestate


@given(context=contexts)
def test_headers_round_trip(context: RequestContext) -> None:
    """What we send as headers reads back as the same context."""
    assert context == from_headers(to_headers(context))


@given(context=contexts)
def test_metadata_round_trip(context: RequestContext) -> None:
    """What we send as metadata reads back as the same context; its names are lower case, as gRPC wants them."""
    metadata = to_metadata(context)

    assert context == from_metadata(metadata)
    assert all(name == name.lower() for name in metadata)


def test_nothing_to_send() -> None:
    """What is absent stays absent."""
    assert to_headers(RequestContext()) == {}
    assert to_metadata(RequestContext()) == {}


texts = st.text(st.characters())  # lone surrogates too
names = st.sampled_from([*(name.lower().encode() for name in CORRELATION_HEADERS), b"traceparent", b"tracestate", b"x"])


@given(headers=st.dictionaries(names, st.binary(max_size=140)))
def test_any_headers(headers: dict[bytes, bytes]) -> None:
    """Whatever the headers hold, a context comes out whose ids are harmless."""
    context = from_headers(headers)

    assert clean_id((context.correlation_id or "").encode()) is not None
    assert clean_id((context.request_id or "").encode()) is not None


@given(
    metadata=st.dictionaries(st.sampled_from(["correlation-id", "request-id", "traceparent", "tracestate", "x"]), texts)
)
def test_any_metadata(metadata: dict[str, str]) -> None:
    """Whatever the metadata hold, lone surrogates too, a context comes out whose ids are harmless."""
    assert clean_id((from_metadata(metadata).correlation_id or "").encode()) is not None


@given(raw=st.binary(max_size=140))
def test_clean_id(raw: bytes) -> None:
    """An id from outside is taken over unchanged or not at all."""
    cleaned = clean_id(raw)

    assert cleaned is None or (cleaned.encode() == raw and cleaned.isprintable() and 1 <= len(cleaned) <= 128)


def test_new_id_layout() -> None:
    """A new id is a UUID of version 7 and the RFC's variant, whose first 48 bits are now in milliseconds."""
    before = time.time_ns() // 1_000_000
    made = [uuid.UUID(new_id()) for _ in range(1000)]
    after = time.time_ns() // 1_000_000

    assert {(7, uuid.RFC_4122)} == {(item.version, item.variant) for item in made}
    assert all(before <= item.int >> 80 <= after for item in made)
    assert all(UUID7.fullmatch(str(item)) for item in made)


def test_new_id_is_unique() -> None:
    """A hundred thousand ids are all different, and every random bit takes both values."""
    made = {new_id() for _ in range(100_000)}
    values = [uuid.UUID(text).int for text in made]
    random_bits = ((1 << 62) - 1) | (0xFFF << 64)

    assert len(made) == 100_000
    assert _union(values) & random_bits == random_bits
    assert _intersection(values) & random_bits == 0


def test_new_id_sorts_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids sort as text in the order of their milliseconds, beyond every carry."""
    instants = [0, 255, 256, 65_535, 65_536, 1 << 32, (1 << 48) - 1]
    made = []
    for milliseconds in instants:
        monkeypatch.setattr(time, "time_ns", lambda at=milliseconds: at * 1_000_000)
        made.append(new_id())

    assert sorted(made) == made


def _union(values: Iterable[int]) -> int:
    result = 0
    for value in values:
        result |= value
    return result


def _intersection(values: Iterable[int]) -> int:
    result = -1
    for value in values:
        result &= value
    return result
