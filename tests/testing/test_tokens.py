import json
from pathlib import Path
from typing import Any

import pytest

from mysingle.testing import ALICE, BOB, TokenSigner, make_user, running

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}


@pytest.fixture
def signer() -> TokenSigner:
    return TokenSigner()


@pytest.fixture
def app(make_app: Any, signer: TokenSigner, tmp_path: Path) -> Any:
    return make_app(ENVIRONMENT="production", **signer.environment(tmp_path / "jwks.json"))


async def test_believed(app: Any, signer: TokenSigner) -> None:
    """A service that has the public key believes the tokens, and what they say."""
    trader = make_user(BOB, email="b@x.com", roles=["trader"], session_id="s9")
    async with running(app, auth=signer.as_user()) as client:
        alice = (await client.get("/me")).json()
        bob = (await client.get("/me", auth=signer.as_user(trader))).json()

    assert (alice["id"], alice["proof"]) == (ALICE, "jwt")
    assert bob == {
        "id": BOB,
        "email": "b@x.com",
        "is_superuser": False,
        "roles": ["trader"],
        "session": "s9",
        "proof": "jwt",
    }


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"exp": 1}, "TOKEN_EXPIRED"),
        ({"nbf": 9_999_999_999}, "TOKEN_NOT_YET_VALID"),
        ({"aud": "billing"}, "TOKEN_INVALID"),
        ({"sid": None}, "TOKEN_INVALID"),
    ],
)
async def test_changed_claims(app: Any, signer: TokenSigner, claims: dict[str, Any], code: str) -> None:
    """Any claim can be changed or taken away, so that refusals can be tested."""
    async with running(app) as client:
        answer = await client.get("/me", auth=signer.as_user(**claims))

    assert (answer.status_code, answer.json()["code"]) == (401, code)


async def test_other_header(app: Any, signer: TokenSigner) -> None:
    """A token of another class can be signed as well."""
    header = json.dumps({"typ": "refresh+jwt", "alg": "ES256", "kid": signer.kid}).encode()
    token = signer.sign(header, json.dumps(signer.claims()).encode())
    async with running(app) as client:
        answer = await client.get("/me", headers={"Authorization": f"Bearer {token}"})

    assert answer.json()["code"] == "TOKEN_WRONG_TYPE"


async def test_other_signer(app: Any) -> None:
    """Another signer is a stranger."""
    async with running(app) as client:
        answer = await client.get("/me", auth=TokenSigner().as_user())

    assert answer.json()["code"] == "TOKEN_INVALID"


def test_public_half(signer: TokenSigner, tmp_path: Path) -> None:
    """The file for the service holds one public key, and nothing that could sign."""
    written = json.loads(signer.write_jwks(tmp_path / "jwks.json").read_text())

    assert written == signer.jwks()
    assert [set(key) & PRIVATE for key in written["keys"]] == [set()]
