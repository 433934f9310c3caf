"""SHA-256 and HMAC in plain Lua, against those of Python."""

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lupa import luajit21

from mysingle.tooling.gateway._lua import sha256_program


@pytest.fixture(scope="module")
def functions() -> Any:
    runtime = luajit21.LuaRuntime(encoding="latin-1", unpack_returned_tuples=True)
    return runtime.execute(f"{sha256_program()}\nreturn sha256, hmac")


BYTES = st.binary(max_size=300).map(lambda raw: raw.decode("latin-1"))


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000])
def test_lengths(functions: Any, length: int) -> None:
    """Every way to fill the last block gives the digest of Python."""
    assert functions[0]("\x80" * length) == hashlib.sha256(b"\x80" * length).hexdigest()


@given(text=BYTES)
def test_digest(functions: Any, text: str) -> None:
    """The digest is that of Python."""
    assert functions[0](text) == hashlib.sha256(text.encode("latin-1")).hexdigest()


@given(key=BYTES, text=BYTES)
def test_hmac(functions: Any, key: str, text: str) -> None:
    """The code of a message is that of Python, with keys shorter and longer than a block."""
    expected = hmac.digest(key.encode("latin-1"), text.encode("latin-1"), "sha256").hex()

    assert functions[1](key)(text) == expected
