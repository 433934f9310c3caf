"""How an IAM service starts: what it refuses, with which keys it signs, and who is its first superuser."""

import asyncio
import json
import subprocess
import sys
from typing import Any

import httpx
import pytest

from mysingle.auth import AuthConfigurationError
from mysingle.core import ServiceType, create_fastapi_app, create_service_config
from mysingle.core.errors import MySingleError

STRONG = "fedcba9876543210" * 4
PRODUCTION = {"ENVIRONMENT": "production", "AUTH_SECRET_KEY": STRONG, "PUBLIC_BASE_URL": "https://test"}


def make_app(name: str = "iam-service") -> Any:
    return create_fastapi_app(create_service_config(name, ServiceType.IAM_SERVICE))


@pytest.mark.parametrize("environment", ["production", "staging", "live"])
@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"AUTH_SECRET_KEY": ...}, "AUTH_SECRET_KEY is missing"),
        ({"AUTH_SECRET_KEY": "change-me-" + "x" * 40}, "AUTH_SECRET_KEY is a placeholder"),
        ({"AUTH_SECRET_KEY": "x" * 31}, "AUTH_SECRET_KEY is shorter"),
        ({"AUTH_ALGORITHMS": "HS256"}, "HS256"),
        (
            {"AUTH_SUPERUSER_EMAIL": "root@example.com", "AUTH_SUPERUSER_PASSWORD": "password1!"},
            "AUTH_SUPERUSER_PASSWORD",
        ),
        (
            {
                "AUTH_SUPERUSER_EMAIL": "root@example.com",
                "AUTH_SUPERUSER_PASSWORD": "correct horse",
                "AUTH_PASSWORD_MIN_LENGTH": 20,
            },
            "AUTH_SUPERUSER_PASSWORD",
        ),
        ({"AUTH_SUPERUSER_EMAIL": "root"}, "AUTH_SUPERUSER_EMAIL"),
        ({"AUTH_SUPERUSER_PASSWORD": "correct horse battery"}, "AUTH_SUPERUSER_EMAIL"),
    ],
    ids=["missing", "placeholder", "short", "hs256", "weak-superuser", "short-superuser", "no-address", "nobody"],
)
async def test_refused(configure: Any, environment: str, values: dict[str, Any], named: str) -> None:
    """A31: the app can be made, and its start is refused, naming the setting and never its value."""
    configure(**{**PRODUCTION, "ENVIRONMENT": environment, **values})
    app = make_app()

    with pytest.raises(AuthConfigurationError, match=named) as caught:
        async with app.router.lifespan_context(app):
            pass
    assert not any(str(value) in str(caught.value) for value in values.values() if len(str(value)) > 12)


@pytest.mark.parametrize("secret", ["change-me-" + "x" * 40, "short"])
async def test_without_a_start(configure: Any, secret: str) -> None:
    """A31: where the start never ran, an unusable secret counts as absent: nothing is believed and nothing signed."""
    configure(**{**PRODUCTION, "AUTH_SECRET_KEY": secret})
    app = make_app()
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://test") as http:
        token = await http.get("/api/v1/users/me", headers={"Authorization": f"Bearer {TOKEN}"})
        nobody = await http.get("/api/v1/users/me", headers={"X-User-Id": "a11ce0000000000000000001"})
        login = await http.post("/api/v1/auth/login", data={"username": "a@example.com", "password": "x"})

    assert (token.status_code, token.json()["code"]) == (401, "TOKEN_INVALID")
    assert (nobody.status_code, nobody.json()["code"]) == (401, "AUTH_REQUIRED")
    assert (login.status_code, login.json()["code"]) == (503, "AUTH_TEMPORARILY_UNAVAILABLE")


TOKEN = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEiLCJ0eXAiOiJhdCtqd3QifQ.e30.AAAA"


async def test_production(start: Any) -> None:
    """A32: IAM needs no proof of a gateway; it starts with a good secret, and knows nobody by headers."""
    async with start(**PRODUCTION) as service:
        service.http.base_url = "https://test"
        answer = await service("GET", "/users/me", headers={"X-User-Id": "a11ce0000000000000000001"})

        assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_REQUIRED")
        assert (await service.login(await service.member())).status_code == 200


@pytest.mark.parametrize(
    ("values", "warns"),
    [
        (PRODUCTION, True),
        ({**PRODUCTION, "ENVIRONMENT": "staging"}, True),
        ({**PRODUCTION, "FORWARDED_ALLOW_IPS": "10.0.2.0/24"}, False),
        ({**PRODUCTION, "FORWARDED_ALLOW_IPS": "127.0.0.1,::1"}, False),
        ({"ENVIRONMENT": "development"}, False),
        ({"ENVIRONMENT": ...}, False),
    ],
    ids=["default", "staging", "gateway", "gateway-on-this-machine", "development", "unset"],
)
async def test_address_of_clients(start: Any, tmp_path: Any, values: dict[str, Any], warns: bool) -> None:
    """In earnest the start says once when nobody was named whose word about a client's address counts."""
    async with start(**values):
        pass

    records = [json.loads(line) for line in (tmp_path / "service.log").read_text().splitlines()]
    said = [record["hint"] for record in records if record["body"] == "iam.client_address"]
    assert len(said) == warns
    assert all("FORWARDED_ALLOW_IPS is not set" in hint for hint in said)


async def test_unset_environment(start: Any, tmp_path: Any) -> None:
    """Without an environment the service starts, signs with a key of its own, and says what is missing."""
    database = f"iam_unset_{id(tmp_path):x}"
    async with start(database=database, ENVIRONMENT=..., AUTH_SECRET_KEY=...) as service:
        member = await service.member()
        first = service.iam.tools.keys.current().kid
        assert (await service.as_(member, "GET", "/users/me")).status_code == 200
    async with start(ENVIRONMENT=..., AUTH_SECRET_KEY=...) as service:
        assert first != service.iam.tools.keys.current().kid
        assert (await service.as_(member, "GET", "/users/me")).status_code == 401

    assert "service.trusts_nothing" in (tmp_path / "service.log").read_text()


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
async def test_keys(start: Any, algorithm: str) -> None:
    """The public keys are published, with nothing private, and say how long they may be kept."""
    async with start(AUTH_ALGORITHMS=algorithm) as service:
        keys = await service("GET", "/.well-known/jwks.json")
        about = await service("GET", "/.well-known/openid-configuration")
        member = await service.member()

        assert (keys.status_code, keys.headers["cache-control"]) == (200, "public, max-age=300")
        assert [algorithm] == [key["alg"] for key in keys.json()["keys"]]
        assert not {"d", "p", "q", "k"} & set(keys.json()["keys"][0])
        assert {
            "issuer": "https://iam.example.com",
            "jwks_uri": "https://iam.example.com/.well-known/jwks.json",
            "id_token_signing_alg_values_supported": [algorithm],
        } == about.json()
        assert (await service.as_(member, "GET", "/users/me")).status_code == 200


async def test_symmetric_key_is_not_published(start: Any) -> None:
    """With HS256 there is nothing to publish."""
    async with start(AUTH_ALGORITHMS="HS256") as service:
        assert (await service("GET", "/.well-known/jwks.json")).json() == {"keys": []}
        assert (await service.login(await service.member())).status_code == 200


async def test_two_processes(start: Any) -> None:
    """B23: what one process has signed, another one of the same service believes; the next key is published early."""
    database = "iam_two_processes"
    async with start(database=database) as first:
        member = await first.member()
    async with start() as clean, start(database=database) as second:
        answer = await second.as_(member, "GET", "/users/me")
        assert clean.database_name != second.database_name

        assert answer.status_code == 200


async def test_rotation(start: Any) -> None:
    """B23: the next key is published before it signs, and tokens of the former one stay good."""
    async with start(AUTH_SIGNING_KEY_LIFETIME_SECONDS=2, AUTH_SIGNING_KEY_LEAD_SECONDS=1) as service:
        member = await service.member()
        first = service.iam.tools.keys.current().kid
        published: list[set[str]] = []
        while service.iam.tools.keys.current().kid == first:
            keys = (await service("GET", "/.well-known/jwks.json")).json()["keys"]
            published.append({key["kid"] for key in keys})
            await asyncio.sleep(0.1)
        second = service.iam.tools.keys.current().kid

        assert any({first, second} <= kids for kids in published)
        assert (await service.as_(member, "GET", "/users/me")).status_code == 200
        assert (await service.as_(await service.sign_in(member), "GET", "/users/me")).status_code == 200


ROOT = {"AUTH_SUPERUSER_EMAIL": "Root@example.com", "AUTH_SUPERUSER_FULLNAME": "Root"}


class TestSuperuser:
    """The first superuser comes from the settings."""

    async def test_with_password(self, start: Any) -> None:
        """With a password the account is ready."""
        async with start(**ROOT, AUTH_SUPERUSER_PASSWORD="correct horse battery 1") as service:
            answer = await service.post(
                "/auth/login", {"email": "root@example.com", "password": "correct horse battery 1"}
            )

            assert (
                answer.status_code,
                answer.json()["user_info"]["is_superuser"],
                answer.json()["user_info"]["full_name"],
            ) == (200, True, "Root")

    async def test_without_password(self, start: Any) -> None:
        """Without one the owner of the address chooses it."""
        async with start(**ROOT) as service:
            token = await service.outbox.token("root@example.com", "invited")
            body = {"token": token, "password": "correct horse battery 2"}

            assert (await service.post("/auth/reset-password", body)).status_code == 204
            login = {"email": "root@example.com", "password": "correct horse battery 2"}
            assert (await service.post("/auth/login", login)).json()["user_info"]["is_superuser"]

    @pytest.mark.parametrize("password", ["admin", "change-me-to-something-else"])
    async def test_weak_password_without_an_environment(self, start: Any, password: str) -> None:
        """Where nobody has said that this is development, a password that anybody could guess counts as absent."""
        async with start(**ROOT, ENVIRONMENT=..., AUTH_SUPERUSER_PASSWORD=password) as service:
            answer = await service.post("/auth/login", {"email": "root@example.com", "password": password})

            assert (answer.status_code, answer.json()["code"]) == (401, "LOGIN_BAD_CREDENTIALS")
            assert await service.outbox.token("root@example.com", "invited")

    async def test_nobody_by_default(self, service: Any) -> None:
        """Without the settings there is no superuser, and no account at all."""
        assert await service.iam.tools.users.count_superusers() == 0
        assert (await service.iam.tools.users.page()).items == ()

    async def test_once(self, start: Any) -> None:
        """A second start changes nothing, and neither does another password in the settings."""
        database = "iam_superuser_once"
        try:
            for password in ("correct horse battery 3", "correct horse battery 4"):
                async with start(database=database, **ROOT, AUTH_SUPERUSER_PASSWORD=password) as service:
                    answer = await service.post(
                        "/auth/login", {"email": "root@example.com", "password": "correct horse battery 3"}
                    )
                    assert answer.status_code == 200
        finally:
            await service.iam.tools.background.settle()

    async def test_squatter(self, start: Any) -> None:
        """Who has registered the address before, and does not read its mail, gets nothing."""
        database = "iam_squatter"
        async with start(database=database) as service:
            await service.register("root@example.com")
        async with start(database=database, **ROOT) as service:
            assert await service.iam.tools.users.count_superusers() == 0


LOADED = """
import sys
from mysingle.core import create_fastapi_app, create_service_config
create_fastapi_app(create_service_config("plain-service"))
print(*sorted(name for name in sys.modules if name.startswith("mysingle.auth.iam")))
"""


def test_other_services_load_nothing() -> None:
    """A service that owns no users never imports IAM."""
    result = subprocess.run(
        [sys.executable, "-c", LOADED],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"ENVIRONMENT": "testing", "PATH": ""},
    )

    assert result.stdout.strip() == ""


def test_needs_a_database(configure: Any) -> None:
    """An IAM service without a database makes no sense, and says so at once."""
    configure()

    with pytest.raises(MySingleError, match="enable_database=False"):
        create_fastapi_app(create_service_config("iam-service", ServiceType.IAM_SERVICE, enable_database=False))
