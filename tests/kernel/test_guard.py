from typing import Any

import pytest
from pydantic import SecretStr

from mysingle._kernel.guard import accepted_algorithms, is_placeholder, is_safe_url, is_usable, problems, usable_secrets
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


def test_secret_of_a_provider() -> None:
    """The secret that another provider has chosen may be short, but no placeholder."""
    short, placeholder = make(NAVER_OAUTH_CLIENT_SECRET="10-letters"), make(OIDC_CLIENT_SECRET="changeme")

    assert problems(short) == ()
    assert problems(placeholder) == ("OIDC_CLIENT_SECRET is a placeholder from a template",)


def test_published_key() -> None:
    """A key that stands in the documentation is a placeholder, long as it is."""
    assert is_placeholder("test-gateway-key-0123456789abcdef")
    assert not is_usable(b"test-gateway-key-0123456789abcdef")


USABLE = [
    (b"x" * 32, True),
    (b"x" * 31, False),
    ("\u00e9".encode() * 16, True),
    (b"changeme" * 8, False),
    (b"\xff" * 32, True),
]


@pytest.mark.parametrize(("secret", "usable"), USABLE, ids=[repr(row[0])[:16] for row in USABLE])
def test_usable(secret: bytes, usable: bool) -> None:
    """A secret is usable when it has 32 bytes and nobody could know it."""
    assert usable == is_usable(secret)


@pytest.mark.parametrize(
    ("environment", "count"), [("production", 1), ("staging", 1), ("prod", 1), ("development", 2), ("testing", 2)]
)
def test_usable_secrets(environment: str, count: int) -> None:
    """Unsafe secrets count as absent where production rules apply."""
    settings = make(ENVIRONMENT=environment, GATEWAY_HMAC_KEYS=["short", "x" * 32])

    assert len(usable_secrets(settings, settings.GATEWAY_HMAC_KEYS)) == count
    assert len(usable_secrets(make(), settings.GATEWAY_HMAC_KEYS)) == 1


ALGORITHMS: list[tuple[dict[str, Any], tuple[str, ...], bool]] = [
    ({"ENVIRONMENT": "production"}, ("ES256",), True),
    ({}, ("ES256",), True),
    ({"ENVIRONMENT": "production", "AUTH_ALLOW_HS256": True}, ("ES256", "HS256"), False),
    ({"ENVIRONMENT": "development"}, ("ES256", "HS256"), True),
]


@pytest.mark.parametrize(("values", "accepted", "complains"), ALGORITHMS)
def test_shared_keys_need_an_opt_in(values: Any, accepted: tuple[str, ...], complains: bool) -> None:
    """Where production rules apply HS256 is accepted after its opt-in only, and listing it is told."""
    settings = make(**values, AUTH_ALGORITHMS="ES256,HS256")

    assert accepted == accepted_algorithms(settings)
    assert complains == ("AUTH_ALLOW_HS256" in str(problems(settings)))


@pytest.mark.parametrize("url", ["https://a/b", "http://127.0.0.1/b", "http://[::1]:80/", "http://localhost:1/"])
def test_safe_url(url: str) -> None:
    """What comes over https or from this machine is what was sent."""
    assert is_safe_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://a/b",
        "http://10.0.0.1/",
        "https://u:p@a/b",
        "ftp://localhost/",
        "",
        "https:///b",
        "https://[a",
        "https://a:99999/",
    ],
)
def test_unsafe_url(url: str) -> None:
    """Anything else may have been changed on the way."""
    assert not is_safe_url(url)
