from typing import Any

import pytest
from pydantic import SecretStr

from mysingle._kernel.guard import is_placeholder, problems
from mysingle._kernel.settings import CommonSettings


class GuardedSettings(CommonSettings):
    OWN_SECRET: SecretStr | None = None
    OWN_SIGNING_KEYS: SecretStr | None = None
    SECRET_KEY: SecretStr | None = None
    OWN_PASSWORD: SecretStr | None = None


def make(**values: Any) -> GuardedSettings:
    return GuardedSettings(_env_file=None, **values)


@pytest.mark.parametrize("value", ["change-this", "CHANGE-ME-please", " changeme123", "Change-This-Secret"])
def test_placeholders(value: str) -> None:
    """A value that a template ships is no secret, in any case."""
    found = problems(make(OWN_PASSWORD=value))

    assert is_placeholder(value)
    assert found == ("OWN_PASSWORD is a placeholder from a template",)


@pytest.mark.parametrize("value", ["", "exchange-this", "s3cret", "channge"])
def test_not_a_placeholder(value: str) -> None:
    """Other values may be secrets."""
    assert not is_placeholder(value)


SIGNING = [("OWN_SECRET", 31), ("OWN_SIGNING_KEYS", 8), ("SECRET_KEY", 0)]


@pytest.mark.parametrize(("name", "length"), SIGNING, ids=[row[0] for row in SIGNING])
def test_short_signing_secret(name: str, length: int) -> None:
    """What signs has at least 32 bytes, and the problem never shows it."""
    value = "é" * (length // 2)
    found = problems(make(**{name: "x" + value if length % 2 else value}))

    assert found == (f"{name} is shorter than 32 bytes",)


def test_long_enough() -> None:
    """Bytes count, not characters; a password may be short; what is not set is no problem."""
    settings = make(OWN_SECRET="é" * 16, SECRET_KEY="x" * 32, OWN_PASSWORD="short", REDIS_PASSWORD="p")

    assert problems(settings) == ()


def test_never_the_value() -> None:
    """All problems come together, without one of the values."""
    settings = make(OWN_SECRET="hunter2", OWN_PASSWORD="changeme-hunter2", MONGODB_PASSWORD="change-this-hunter2")
    found = problems(settings)

    assert {problem.split(" ")[0] for problem in found} == {"OWN_SECRET", "OWN_PASSWORD", "MONGODB_PASSWORD"}
    assert "hunter2" not in str(found)
