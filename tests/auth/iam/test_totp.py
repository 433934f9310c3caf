"""Codes by time are those of RFC 6238."""

import base64
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from mysingle.auth.iam._totp import as_text, code_at, matching_step, new_secret, provisioning_url

SECRET = b"12345678901234567890"
NOW = 1_234_567_890.0


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_vectors(seconds: int, code: str) -> None:
    """RFC 6238, appendix B, the last six digits."""
    assert code_at(SECRET, seconds // 30) == code
    assert matching_step(SECRET, code, seconds) == seconds // 30


@pytest.mark.parametrize(("offset", "matches"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_clocks_may_differ_by_one_step(offset: int, matches: bool) -> None:
    """A code of the step before or after counts, and no other."""
    step = int(NOW + offset) // 30
    assert matching_step(SECRET, code_at(SECRET, step), NOW) == (step if matches else None)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "0",
        "00592",
        "5924",
        "0059240",
        "\u0660\u0660\u0665\u0669\u0662\u0664",
        "\uff10\uff10\uff15\uff19\uff12\uff14",
        "00592\x00",
        "-05924",
    ],
)
def test_no_code(code: str) -> None:
    """Only the six ASCII digits count."""
    assert matching_step(SECRET, code, NOW) is None


def test_what_an_authenticator_reads() -> None:
    """The address holds the secret in base 32, and who it is for."""
    secret = new_secret()
    url = urlsplit(provisioning_url(secret, issuer="My Single: Quant", account="a+b@example.com"))
    query = parse_qs(url.query)
    text = query["secret"][0]

    assert len(secret) == 20
    assert (url.scheme, url.netloc, query["issuer"]) == ("otpauth", "totp", ["My Single: Quant"])
    assert unquote(url.path) == "/My Single: Quant:a+b@example.com"
    assert text == as_text(secret)
    assert base64.b32decode(text + "=" * (-len(text) % 8)) == secret
