import json
import math
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from mysingle._kernel.identity import AuthenticatedUser
from mysingle.database import BytesCodec, CodecError, JsonCodec, MsgpackCodec, ProtobufCodec

small = st.integers(min_value=-(2**63), max_value=2**64 - 1)
scalars = (
    st.none()
    | st.booleans()
    | small
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=20)
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.binary(min_size=12, max_size=12).map(ObjectId)
)
hashables = small | st.text() | st.dates() | st.uuids()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.sets(hashables)
        | st.frozensets(hashables)
        | st.dictionaries(st.text() | st.just("$type"), inner)
        | st.dictionaries(hashables, inner)
    ),
    max_leaves=20,
)


class Side(StrEnum):
    BUY = "buy"


class Level(Enum):
    HIGH = 3


class Bar(BaseModel):
    symbol: str
    price: Decimal
    at: datetime
    payload: bytes = b""
    volume: float = math.nan
    display_name: str = Field(default="", alias="displayName")


@dataclass(frozen=True, slots=True)
class Pair:
    left: int
    right: int


Point = namedtuple("Point", "x y")

BAR = Bar(symbol="AAPL", price=Decimal("1.10"), at=datetime(2025, 1, 2, tzinfo=UTC), payload=b"\xff\x00", volume=1.0)


def same(left: Any, right: Any) -> bool:
    """Equal in value and in type, all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


@given(values)
def test_json_round_trip(value: Any) -> None:
    """Whatever goes in comes out, with its types."""
    codec: JsonCodec[Any] = JsonCodec()

    assert same(value, codec.decode(codec.encode(value)))


@given(st.integers())
def test_json_large_integers(value: int) -> None:
    """Integers have no limit in JSON."""
    assert {"n": value} == JsonCodec[Any]().decode(JsonCodec[Any]().encode({"n": value}))


@given(values)
def test_msgpack_round_trip(value: Any) -> None:
    """Whatever goes in comes out, with its types."""
    codec: MsgpackCodec[Any] = MsgpackCodec()

    assert same(value, codec.decode(codec.encode(value)))


@given(st.binary())
def test_bytes_round_trip(value: bytes) -> None:
    """Bytes are stored as they are."""
    assert value == BytesCodec().decode(BytesCodec().encode(value))


@given(st.binary().filter(lambda data: not data.startswith(b"MS")))
@pytest.mark.parametrize("codec", [JsonCodec(), MsgpackCodec(), BytesCodec()], ids=lambda codec: type(codec).__name__)
def test_decode_foreign_bytes(codec: Any, data: bytes) -> None:
    """Bytes without our header are refused with one kind of error."""
    with pytest.raises(CodecError, match="not a value"):
        codec.decode(data)


@given(st.binary())
@pytest.mark.parametrize("codec", [JsonCodec(), MsgpackCodec(), JsonCodec(Bar)], ids=["json", "msgpack", "typed"])
def test_decode_damaged_bytes(codec: Any, data: bytes) -> None:
    """Damage behind a right header is either a value or that same error, never another one."""
    try:
        codec.decode(codec.header + data)
    except CodecError as error:
        assert "cannot read" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "damaged",
    [
        b"MSJ2{}",
        b"MSB1{}",
        b"MSJ1",
        b"MSJ1{",
        b'MSJ1{"$type":"unknown","v":1}',
        b'MSJ1{"$type":"uuid"}',
        b'MSJ1{"$type":"uuid","v":1}',
        b'MSJ1{"$type":["uuid"],"v":1}',
        b'MSJ1{"$type":"set","v":[[]]}',
        b'MSJ1{"$type":"bytes","v":"?"}',
        b"MSJ1" + b"[" * 5000,
        b"\x80\x05.",
        b"",
    ],
)
def test_decode_refused(damaged: bytes) -> None:
    """Another version, another codec, an unknown tag and nonsense are refused."""
    with pytest.raises(CodecError):
        JsonCodec().decode(damaged)


@pytest.mark.parametrize("codec", [JsonCodec(), MsgpackCodec()], ids=["json", "msgpack"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(Side.BUY, "buy", id="str-enum"),
        pytest.param(Level.HIGH, 3, id="enum"),
        pytest.param(Pair(1, 2), {"left": 1, "right": 2}, id="dataclass"),
        pytest.param(Point(1, 2), (1, 2), id="namedtuple"),
        pytest.param(OrderedDict(a=1), {"a": 1}, id="mapping"),
        pytest.param(bytearray(b"x"), b"x", id="bytearray"),
        pytest.param({"a": [math.inf, -math.inf]}, {"a": [math.inf, -math.inf]}, id="infinity"),
        pytest.param({"$type": "uuid", "v": "x"}, {"$type": "uuid", "v": "x"}, id="our-own-tag"),
        pytest.param({"a": '"$type"'}, {"a": '"$type"'}, id="tag-in-text"),
        pytest.param({(1, "a"): {2}}, {(1, "a"): {2}}, id="tuple-key"),
        pytest.param({"none": None, "nested": [None]}, {"none": None, "nested": [None]}, id="null"),
        pytest.param({"bar": BAR}, {"bar": BAR.model_dump(round_trip=True)}, id="model"),
        pytest.param(
            datetime(2025, 1, 1, 9, tzinfo=timezone(timedelta(hours=9))), datetime(2025, 1, 1, tzinfo=UTC), id="zoned"
        ),
    ],
)
def test_untyped_form(codec: Any, value: Any, expected: Any) -> None:
    """Values that have no tag of their own come back as the nearest plain value."""
    assert expected == codec.decode(codec.encode(value))


def test_json_nan() -> None:
    """NaN stays NaN, though JSON has none."""
    value = JsonCodec[Any]().decode(JsonCodec[Any]().encode([1.5, math.nan, None]))

    assert math.isnan(value[1])
    assert [value[0], value[2]] == [1.5, None]


def test_json_readable() -> None:
    """A plain value is stored as plain JSON behind the header, so that people can read it."""
    data = JsonCodec[Any]().encode({"a": [1, 2.5, "x", True]})

    assert data[:4] == b"MSJ1"
    assert json.loads(data[4:]) == {"a": [1, 2.5, "x", True]}


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (Bar, BAR),
        (Bar, BAR.model_copy(update={"display_name": "Apple"})),
        (list[Bar], [BAR, BAR]),
        (dict[str, Bar], {"a": BAR}),
        (Pair, Pair(1, 2)),
        (tuple[int, date], (1, date(2025, 1, 1))),
        (set[UUID], {UUID(int=1)}),
        (
            AuthenticatedUser,
            AuthenticatedUser(
                id="a" * 24, roles=frozenset({"admin"}), authenticated_at=datetime(2025, 1, 1, tzinfo=UTC)
            ),
        ),
    ],
    ids=["model", "alias", "list", "dict", "dataclass", "tuple", "set", "user"],
)
def test_typed_round_trip(model: Any, value: Any) -> None:
    """With a type, values come back as that type."""
    codec: JsonCodec[Any] = JsonCodec(model=model)

    assert same(value, codec.decode(codec.encode(value)))


def test_typed_other_shape() -> None:
    """A value of an older shape of the model is refused, so that the cache loads it again."""
    with pytest.raises(CodecError, match="ValidationError"):
        JsonCodec(model=Bar).decode(JsonCodec().encode({"symbol": "AAPL"}))


@pytest.mark.parametrize(
    ("codec", "value"),
    [
        (JsonCodec(), object()),
        (JsonCodec(), {"f": print}),
        (JsonCodec(), SecretStr("x")),
        (JsonCodec(), "\ud800"),
        (JsonCodec(), Pair),
        (JsonCodec(model=Bar), {"symbol": "AAPL"}),
        (MsgpackCodec(), object()),
        (MsgpackCodec(), 2**64),
        (BytesCodec(), "text"),
        (ProtobufCodec(type("Message", (), {})), b"x"),
    ],
)
def test_encode_refused(codec: Any, value: Any) -> None:
    """What cannot be stored is refused with one kind of error that names the codec."""
    with pytest.raises(CodecError, match=f"{type(codec).__name__} cannot store"):
        codec.encode(value)


def test_encode_recursion() -> None:
    """A value that contains itself is refused."""
    value: list[Any] = []
    value.append(value)

    with pytest.raises(CodecError, match="cannot store"):
        JsonCodec().encode(value)


def test_time_values() -> None:
    """Times of the day and lengths of time keep microseconds."""
    value = [time(1, 2, 3, 4), timedelta(days=-1, microseconds=5)]

    assert value == JsonCodec[Any]().decode(JsonCodec[Any]().encode(value))


class Message:
    """Has the two methods of a generated message class."""

    def __init__(self, text: str) -> None:
        self.text = text

    def SerializeToString(self) -> bytes:
        return self.text.encode()

    @classmethod
    def FromString(cls, data: bytes) -> "Message":
        return cls(data.decode())


def test_protobuf_round_trip() -> None:
    """A message of the class comes back; what its parser refuses is the one kind of error."""
    codec = ProtobufCodec(Message)

    assert codec.decode(codec.encode(Message("x"))).text == "x"
    with pytest.raises(CodecError, match="UnicodeDecodeError"):
        codec.decode(b"MSP1\xff")


def test_protobuf_real_message() -> None:
    """A generated message comes back, and damage is refused."""
    timestamp = pytest.importorskip("google.protobuf.timestamp_pb2")
    codec: ProtobufCodec[Any] = ProtobufCodec(timestamp.Timestamp)
    message = timestamp.Timestamp(seconds=5)

    assert message == codec.decode(codec.encode(message))
    with pytest.raises(CodecError, match="DecodeError"):
        codec.decode(b"MSP1\xff")
