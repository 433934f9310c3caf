from typing import Any

import pytest

from mysingle.auth.iam._secrets import MasterSecret, derive

STRONG = "0123456789abcdefghijklmnopqrstuv"


def test_source() -> None:
    """RFC 5869: the extract step with our salt and one block of the expand step; a fixed value shows any change."""
    assert derive(b"k" * 32, "purpose").hex() == "e1e9b07fde11856b6452662d0f2fab20c7455182d6e949c1e30459fec15d4086"


def test_purposes_differ() -> None:
    """Each purpose has a key of its own, and so has each secret."""
    secret = MasterSecret(STRONG.encode())

    assert len({secret.derive("a"), secret.derive("b"), MasterSecret(b"x" * 32).derive("a")}) == 3
    assert secret.derive("a") == derive(STRONG.encode(), "a")


@pytest.mark.parametrize(
    ("environment", "key", "lasting", "usable"),
    [
        ("production", STRONG, True, True),
        ("production", "short", False, False),
        ("production", "change-this-" + STRONG, False, False),
        ("production", None, False, False),
        ("staging", None, False, False),
        ("anything", "short", False, False),
        ("testing", "short", True, True),
        ("development", "change-this-" + STRONG, True, True),
        ("development", None, False, True),
        (None, None, False, True),
        (None, "short", False, True),
        (None, STRONG, True, True),
    ],
)
def test_settings(make_settings: Any, environment: str | None, key: str | None, lasting: bool, usable: bool) -> None:
    """Under production rules an unusable secret counts as absent; without an environment a fresh one is made."""
    values = {"ENVIRONMENT": environment, "AUTH_SECRET_KEY": key}
    secret = MasterSecret.from_settings(make_settings(**{name: value for name, value in values.items() if value}))

    assert (lasting, usable) == (secret.is_lasting, secret.is_usable)


def test_fresh_secrets_differ() -> None:
    """A secret that nobody has set is another one in each process."""
    assert MasterSecret().derive("a") != MasterSecret().derive("a")
