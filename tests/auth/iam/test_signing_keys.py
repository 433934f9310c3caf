import asyncio
import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mysingle._kernel.errors import MySingleError
from mysingle._kernel.settings import CommonSettings
from mysingle.auth._keys import KeySet
from mysingle.auth._tokens import TokenVerifier
from mysingle.auth.iam._documents import SigningKey
from mysingle.auth.iam._issuer import TokenIssuer, issuer_of
from mysingle.auth.iam._sealing import generate, seal, unseal
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._signing_keys import SigningKeys
from mysingle.auth.iam._values import UserView, instant

DAY = 86_400
ALICE = "a11ce0000000000000000001"
ALGORITHMS = ["ES256", "RS256", "EdDSA", "HS256"]


@pytest.fixture
async def keys(settings: CommonSettings, secret: MasterSecret, clock: Any, database: Any) -> SigningKeys:
    keys = SigningKeys(settings, secret, clock=clock)
    await keys.load()
    return keys


def alice(**fields: Any) -> UserView:
    values = {"email": "alice@example.com", "email_key": "alice@example.com", "is_verified": True}
    return UserView(**{"id": ALICE, "created_at": instant(), "updated_at": instant(), **values, **fields})


def issue(settings: CommonSettings, keys: SigningKeys, clock: Any, **fields: Any) -> str:
    issuer = TokenIssuer(settings, keys, clock=clock)
    return issuer.issue_access(alice(**fields), "5" * 32, auth_time=instant(clock.now - 60)).token


def verifier(settings: CommonSettings, keys: Any, clock: Any) -> TokenVerifier:
    return TokenVerifier(
        keys=keys,
        algorithms=settings.AUTH_ALGORITHMS,
        issuer=issuer_of(settings),
        audience=settings.IAM_AUDIENCE,
        clock=clock,
        cache_size=0,
    )


def part(token: str, index: int) -> dict[str, Any]:
    text = token.split(".")[index]
    loaded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return loaded


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_issue_and_verify(
    algorithm: str, configure: Any, secret: MasterSecret, clock: Any, database: Any
) -> None:
    """A token of each algorithm is believed by our own verifier, and says what the user is."""
    settings = configure(AUTH_ALGORITHMS=algorithm, IAM_ISSUER="https://iam.example.com")
    keys = SigningKeys(settings, secret, clock=clock)
    await keys.load()
    token = issue(settings, keys, clock, is_superuser=True, roles=("trader",))
    claims = await verifier(settings, keys, clock).verify(token)

    assert (
        claims.subject,
        claims.session_id,
        claims.email,
        claims.is_verified,
        claims.is_active,
        claims.is_superuser,
        tuple(claims.roles),
    ) == (ALICE, "5" * 32, "alice@example.com", True, True, True, ("trader",))
    assert {"typ": "at+jwt", "alg": algorithm, "kid": keys.current().kid} == part(token, 0)
    assert len(token) < 1200


async def test_claims(keys: SigningKeys, settings: CommonSettings, clock: Any) -> None:
    """RFC 9068: a token has exactly these claims, and lives fifteen minutes."""
    claims = part(issue(settings, keys, clock), 1)

    assert {
        "iss", "aud", "sub", "exp", "iat", "nbf", "jti", "sid", "client_id", "auth_time", "amr", "email",
        "email_verified", "active", "su", "roles",
    } == set(claims)  # fmt: skip
    assert (
        claims["exp"] - claims["iat"],
        claims["iat"] - claims["auth_time"],
        claims["amr"],
        claims["aud"],
    ) == (900, 60, ["pwd"], "mysingle")
    assert issue(settings, keys, clock) != issue(settings, keys, clock)


async def test_jwks(keys: SigningKeys, settings: CommonSettings, clock: Any) -> None:
    """Other services verify with the published set alone, and nothing private is in it."""
    published = json.loads(json.dumps(keys.jwks()))
    token = issue(settings, keys, clock)

    assert [{"kid", "alg", "use", "kty", "crv", "x", "y"}] == [set(key) for key in published["keys"]]
    assert (await verifier(settings, KeySet.from_jwks(published, ["ES256"]), clock).verify(token)).subject == ALICE


async def test_symmetric_key_is_not_published(configure: Any, secret: MasterSecret, database: Any) -> None:
    """The key of HS256 is nobody else's business."""
    keys = SigningKeys(configure(AUTH_ALGORITHMS="HS256"), secret)
    await keys.load()

    assert keys.jwks() == {"keys": []}


async def test_symmetric_needs_opt_in(configure: Any, secret: MasterSecret, database: Any) -> None:
    """Under production rules nothing is signed with HS256 unless somebody said so."""
    refused = SigningKeys(configure(ENVIRONMENT="production", AUTH_ALGORITHMS="HS256"), secret)
    allowed = SigningKeys(configure(ENVIRONMENT="production", AUTH_ALGORITHMS="HS256", AUTH_ALLOW_HS256=True), secret)
    await refused.load()
    await allowed.load()

    with pytest.raises(MySingleError, match="No token can be signed"):
        refused.current()
    assert allowed.current().algorithm == "HS256"


async def test_processes_that_start_together(
    settings: CommonSettings, secret: MasterSecret, clock: Any, database: Any
) -> None:
    """Eight processes that start at once sign with one key, and believe each other."""
    started = [SigningKeys(settings, secret, clock=clock) for _ in range(8)]
    await asyncio.gather(*(keys.load() for keys in started))

    assert await SigningKey.count() == 1
    assert len({keys.current().kid for keys in started}) == 1
    token = issue(settings, started[0], clock)
    assert (await verifier(settings, started[7], clock).verify(token)).subject == ALICE


PROCESS = """
import asyncio, sys
from mysingle._kernel.settings import get_settings
from mysingle.auth.iam._documents import IAM_DOCUMENTS
from mysingle.auth.iam._secrets import MasterSecret
from mysingle.auth.iam._signing_keys import SigningKeys
from mysingle.database import init_mongo

async def main():
    settings = get_settings()
    database = await init_mongo(IAM_DOCUMENTS, database_name=sys.argv[1], settings=settings)
    keys = SigningKeys(settings, MasterSecret.from_settings(settings))
    await keys.load()
    print("kid", keys.current().kid)
    await database.client.close()

asyncio.run(main())
"""


async def test_real_processes(settings: CommonSettings, database: Any, tmp_path: Path) -> None:
    """Four real processes that start at once on an empty database sign with one key."""
    assert settings.MONGODB_URL is not None
    assert settings.AUTH_SECRET_KEY is not None
    values = {
        "ENVIRONMENT": "production",
        "MONGODB_URL": settings.MONGODB_URL.get_secret_value(),
        "AUTH_SECRET_KEY": settings.AUTH_SECRET_KEY.get_secret_value(),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    await database.client.drop_database(database.name)
    command = (sys.executable, "-c", PROCESS, database.name)
    options: dict[str, Any] = {"stdout": asyncio.subprocess.PIPE, "cwd": tmp_path, "env": {**os.environ, **values}}
    started = [await asyncio.create_subprocess_exec(*command, **options) for _ in range(4)]
    outputs = [(await process.communicate())[0].decode() for process in started]

    assert [process.returncode for process in started] == [0] * 4
    assert len({line for output in outputs for line in output.splitlines() if line.startswith("kid ")}) == 1
    assert await SigningKey.count() == 1


async def test_rotations_at_once(settings: CommonSettings, secret: MasterSecret, clock: Any, database: Any) -> None:
    """Eight processes that notice at once that a key is due make one."""
    started = [SigningKeys(settings, secret, clock=clock) for _ in range(8)]
    await asyncio.gather(*(keys.load() for keys in started))
    clock.advance(29 * DAY)
    made = await asyncio.gather(*(keys.rotate_if_due() for keys in started))

    assert (sum(made), await SigningKey.count()) == (1, 2)
    assert len({json.dumps(keys.jwks()) for keys in started}) == 1


async def test_rotation(keys: SigningKeys, settings: CommonSettings, clock: Any) -> None:
    """B23: the next key is published a day before it signs; the former one stays until its last token has ended."""
    first = keys.current().kid
    assert not await keys.rotate_if_due()
    clock.advance(29 * DAY)

    assert await keys.rotate_if_due()
    assert not await keys.rotate_if_due()
    published = [key["kid"] for key in keys.jwks()["keys"]]  # type: ignore[attr-defined]  # a list in a plain mapping
    assert (2, first, first) == (len(published), published[0], keys.current().kid)

    clock.advance(DAY - 1)
    old_token = issue(settings, keys, clock)
    clock.advance(1)
    second = keys.current().kid
    assert second == published[1]
    assert (await verifier(settings, keys, clock).verify(old_token)).subject == ALICE

    clock.advance(900 + 29)
    await keys.rotate_if_due()
    assert await keys.key(first)
    clock.advance(100)
    await keys.rotate_if_due()
    assert await keys.key(first) is None
    assert await keys.key(second)


async def test_late_rotation(keys: SigningKeys, clock: Any) -> None:
    """A service that slept past the end of its key publishes the next one first, and signs with the old meanwhile."""
    first = keys.current().kid
    clock.advance(100 * DAY)
    await keys.rotate_if_due()

    assert first == keys.current().kid
    assert len(keys.jwks()["keys"]) == 2  # type: ignore[arg-type]  # a list in a plain mapping
    clock.advance(DAY)
    assert first != keys.current().kid


async def test_key_of_another_process(
    keys: SigningKeys, settings: CommonSettings, secret: MasterSecret, clock: Any
) -> None:
    """A key that another process has made is found when a token names it, at most every thirty seconds."""
    other = SigningKeys(settings, secret, clock=clock)
    clock.advance(29 * DAY)
    await other.rotate_if_due()
    new = str(other.jwks()["keys"][1]["kid"])  # type: ignore[index]  # a list in a plain mapping

    assert await keys.key(new)
    assert await keys.key("unknown") is None
    clock.advance(DAY)
    await SigningKey.get_pymongo_collection().delete_many({})
    assert await keys.key("unknown") is None
    assert await keys.key(new) is None


async def test_at_rest(keys: SigningKeys, secret: MasterSecret) -> None:
    """The database has the key only encrypted, and bound to its id."""
    raw = await SigningKey.get_pymongo_collection().find_one({})
    assert raw is not None
    private = keys.current().key.as_dict(private=True)
    sealing_key = secret.derive("signing-keys")

    assert str(private["d"]) not in str(raw)
    assert unseal(raw["sealed"], raw["_id"], "ES256", sealing_key) is not None
    assert unseal(raw["sealed"], "another", "ES256", sealing_key) is None
    assert unseal(raw["sealed"], raw["_id"], "ES256", b"x" * 32) is None
    assert unseal(raw["sealed"][:-1], raw["_id"], "ES256", sealing_key) is None
    assert unseal("junk", raw["_id"], "ES256", sealing_key) is None


async def test_another_secret(keys: SigningKeys, settings: CommonSettings, clock: Any, logged: list[Any]) -> None:
    """With another secret the stored key is nobody's: a new one is made, and the log says so."""
    other = SigningKeys(settings, MasterSecret(b"another secret" * 4), clock=clock)
    await other.load()
    await other.load()

    assert await SigningKey.count() == 2
    assert other.current().kid != keys.current().kid
    assert "auth.signing_key.unreadable" in [entry["event"] for entry in logged]
    assert await other.key(keys.current().kid) is None


async def test_planted_key(keys: SigningKeys, clock: Any) -> None:
    """A key that somebody put into the database without the secret is never believed."""
    planted = generate("ES256")
    row = SigningKey(
        id="planted",
        sequence=99,
        algorithm="ES256",
        sealed=seal(planted, "planted", b"y" * 32),
        created_at=instant(),
        activates_at=instant(0),
    )
    await row.insert()
    await keys.rotate_if_due()

    assert await keys.key("planted") is None
    assert keys.current().kid != "planted"


async def test_memory_alone(configure: Any, database: Any, clock: Any) -> None:
    """Without a lasting secret the key is in memory, nothing is stored, and rotation works there too."""
    settings = configure(AUTH_SECRET_KEY=None)
    keys = SigningKeys(settings, MasterSecret.from_settings(settings), clock=clock)
    await keys.load()
    first = keys.current().kid
    token = issue(settings, keys, clock)
    clock.advance(29 * DAY)
    await keys.rotate_if_due()
    clock.advance(DAY)

    assert await SigningKey.count() == 0
    assert first != keys.current().kid
    assert await keys.key(first)
    assert token


async def test_no_usable_secret(configure: Any, database: Any) -> None:
    """A31: under production rules a placeholder signs nothing (503) and verifies nothing."""
    settings = configure(ENVIRONMENT="production", AUTH_SECRET_KEY="changeme-" + "x" * 40)
    keys = SigningKeys(settings, MasterSecret.from_settings(settings))
    await keys.load()

    with pytest.raises(MySingleError, match="No token") as caught:
        keys.current()
    assert caught.value.reason == "AUTH_TEMPORARILY_UNAVAILABLE"
    assert await keys.key("any") is None
    assert await SigningKey.count() == 0


async def test_database_away(own_database: Any, settings: CommonSettings, secret: MasterSecret, clock: Any) -> None:
    """B22: without the database known keys go on, and an unknown one is 503, because it may be there."""
    keys = SigningKeys(settings, secret, clock=clock)
    await keys.load()
    token = issue(settings, keys, clock)
    own_database.kill()
    clock.advance(60)

    assert (await verifier(settings, keys, clock).verify(token)).subject == ALICE
    with pytest.raises(MySingleError) as caught:
        await keys.key("unknown")
    assert caught.value.reason == "AUTH_TEMPORARILY_UNAVAILABLE"
    with pytest.raises(MySingleError) as caught:
        await keys.rotate_if_due()
    assert caught.value.reason == "MONGODB_UNAVAILABLE"
