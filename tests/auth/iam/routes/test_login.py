"""Signing in: the forms it may have, and what a stranger learns from trying."""

import time
from collections.abc import Callable
from typing import Any

import argon2
import argon2._password_hasher
import argon2.low_level
import pytest

API = "/api/v1"


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Note every verification of a hash that really happens: the length of the hash and of the password."""
    done: list[tuple[int, int]] = []
    real = argon2.low_level.verify_secret

    def verify(hashed: bytes, secret: bytes, kind: Any) -> bool:
        done.append((len(hashed), len(secret)))
        return real(hashed, secret, kind)

    monkeypatch.setattr(argon2._password_hasher, "verify_secret", verify)
    return done


async def test_answer(service: Any) -> None:
    """A login answers the tokens, how long they live, and the user; nobody may store it."""
    answer = await service.login(await service.member())
    body = answer.json()

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert {"access_token", "refresh_token", "token_type", "expires_in", "refresh_expires_in", "user_info"} == set(body)
    assert (body["token_type"], body["expires_in"], body["refresh_expires_in"]) == ("bearer", 900, 2592000)
    assert body["refresh_token"].startswith("rt1.")
    assert {"_id", "id", "email", "full_name", "is_active", "is_superuser", "is_verified", "avatar_url"} == set(
        body["user_info"]
    )


FORMS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "form": lambda email, password: {"data": {"username": email, "password": password}},
    "oauth2-form": lambda email, password: {
        "data": {"grant_type": "password", "username": email, "password": password, "scope": "", "client_id": "spa"}
    },
    "json": lambda email, password: {"json": {"email": email, "password": password}},
    "form-with-charset": lambda email, password: {
        "content": f"username={email.replace('@', '%40')}&password={password.replace(' ', '+')}",
        "headers": {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
    },
}


@pytest.mark.parametrize("form", FORMS)
async def test_forms(service: Any, form: str) -> None:
    """A login is an OAuth2 form or JSON."""
    account = await service.member()

    assert (await service("POST", "/auth/login", **FORMS[form](account.email, account.password))).status_code == 200


BODIES: dict[str, dict[str, Any]] = {
    "injection": {"json": {"username": {"$ne": ""}, "password": "x"}},
    "injection-in-email": {"json": {"email": {"$ne": ""}, "password": {"$gt": ""}}},
    "array": {"json": ["a", "b"]},
    "number": {"json": {"email": 1, "password": 2}},
    "empty": {"json": {}},
    "nothing": {},
    "broken-json": {"content": b"{", "headers": {"Content-Type": "application/json"}},
    "lone-surrogate": {
        "content": b'{"email": "a@example.com", "password": "\\ud800"}',
        "headers": {"Content-Type": "application/json"},
    },
    "lone-surrogate-in-email": {
        "content": b'{"email": "\\ud800@example.com", "password": "x"}',
        "headers": {"Content-Type": "application/json"},
    },
    "no-utf-8": {
        "content": b"username=%ff&password=x",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
    },
    "twice": {
        "content": b"username=a&username=b&password=x",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
    },
    "many-fields": {
        "content": b"&".join(b"a%d=1" % number for number in range(100)),
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
    },
    "deep": {"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}},
    "1025-bytes": {"data": {"username": "a@example.com", "password": "x" * 1025}},
    "1025-bytes-of-two": {"data": {"username": "a@example.com", "password": "é" * 513}},
    "ten-megabytes": {"data": {"username": "a@example.com", "password": "x" * 10_000_000}},
    "wrong-grant": {"data": {"grant_type": "client_credentials", "username": "a", "password": "x"}},
    "transport": {"params": {"transport": "pigeon"}, "data": {"username": "a", "password": "x"}},
}


@pytest.mark.parametrize("case", BODIES)
async def test_no_login(service: Any, case: str) -> None:
    """D04, D06: what is no login is a 422, and costs no work on passwords."""
    began = time.thread_time()
    answer = await service("POST", "/auth/login", **BODIES[case])

    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    assert time.thread_time() - began < 5


@pytest.mark.parametrize("password", ["\x00", "a\x00b", "x" * 1024, "\N{SNOWMAN}" * 300, " " * 40])
async def test_strange_passwords(service: Any, password: str) -> None:
    """D04: a password is data, whatever it is made of."""
    answer = await service.post("/auth/login", {"email": "nobody@example.com", "password": password})

    assert (answer.status_code, answer.json()["code"]) == (401, "LOGIN_BAD_CREDENTIALS")


async def test_nul_in_a_real_password(service: Any) -> None:
    """D04: nothing behind a NUL is forgotten."""
    account = await service.member()
    user = await service.iam.tools.users.by_id(account.id)
    await service.iam.tools.change(str(user.id), hashed_password=await service.iam.tools.passwords.hash("abc\x00defgh"))
    answers = [
        await service.post("/auth/login", {"email": account.email, "password": given})
        for given in ("abc", "abc\x00x", "abc\x00defgh")
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 200]


@pytest.mark.parametrize(
    "hashed",
    [None, "", "plain", "$2b$12$" + "a" * 53, "$argon2id$broken", "$argon2id$v=19$m=1,t=1,p=1$YQ$YQ"],
    ids=["none", "empty", "plain", "bcrypt", "broken", "foreign"],
)
async def test_strange_hashes(service: Any, hashed: str | None) -> None:
    """D04: a stored hash that nobody can read matches nothing, with 73 bytes too, and is no error."""
    account = await service.member()
    await service.iam.tools.change(account.id, hashed_password=hashed)
    answer = await service.post("/auth/login", {"email": account.email, "password": "x" * 73})

    assert answer.status_code == 401


async def test_same_refusal_and_same_work(service: Any, verifications: list[Any]) -> None:
    """D01: unknown, wrong and inactive are one answer after one verification each, so that nobody learns which."""
    known, inactive = await service.member(), await service.member()
    await service.iam.tools.change(inactive.id, is_active=False)
    tries = {
        "unknown": ("nobody@example.com", "wrong horse battery"),
        "no-address": ("nobody", "wrong horse battery"),
        "wrong": (known.email, "wrong horse battery"),
        "inactive": (inactive.email, inactive.password),
    }
    answers, work = {}, {}
    for name, (email, password) in tries.items():
        verifications.clear()
        answers[name] = await service.post("/auth/login", {"email": email, "password": password})
        work[name] = list(verifications)

    assert {401} == {answer.status_code for answer in answers.values()}
    assert len({_comparable(answer) for answer in answers.values()}) == 1
    assert {1} == {len(done) for done in work.values()}
    assert len({hashed for done in work.values() for hashed, _ in done}) == 1


def _comparable(answer: Any) -> str:
    return str({**answer.json(), "correlation_id": None}) + str(
        sorted((name, value) for name, value in answer.headers.items() if "correlation" not in name)
    )


async def test_unverified(service: Any) -> None:
    """D02: only who knows the password learns that the address is not verified."""
    account = await service.register()
    right = await service.login(account)
    account.password = "wrong horse battery"

    assert (right.status_code, right.json()["code"]) == (403, "LOGIN_USER_NOT_VERIFIED")
    assert (await service.login(account)).json()["code"] == "LOGIN_BAD_CREDENTIALS"


class TestLimits:
    """D03: guessing is slow, for one account, from one place, and with one password."""

    async def test_one_account(self, service: Any) -> None:
        """The sixth try waits, the right password too, and other people do not notice."""
        account, other = await service.member(), await service.member()
        wrong = [
            await service.post("/auth/login", {"email": account.email, "password": f"wrong {number}"})
            for number in range(6)
        ]
        right = await service.login(account)

        assert [answer.status_code for answer in wrong] == [401] * 5 + [429]
        assert (right.status_code, right.json()["code"]) == (429, "RATE_LIMITED")
        assert 0 < int(right.headers["retry-after"]) <= 900
        assert (await service.login(other)).status_code == 200

    async def test_unknown_account(self, service: Any) -> None:
        """An account that does not exist is limited in the same way."""
        answers = [
            await service.post("/auth/login", {"email": "nobody@example.com", "password": f"wrong {number}"})
            for number in range(6)
        ]

        assert [answer.status_code for answer in answers] == [401] * 5 + [429]

    async def test_one_place(self, service: Any) -> None:
        """A hundred accounts from one place: most tries are refused."""
        answers = [
            await service.post("/auth/login", {"email": f"n{number}@example.com", "password": f"wrong {number}"})
            for number in range(100)
        ]

        assert answers[-1].status_code == 429
        assert sum(answer.status_code == 401 for answer in answers) <= 50

    async def test_one_password(self, service: Any) -> None:
        """One password over many accounts: refused after a few, and another password is not."""
        answers = [
            await service.post("/auth/login", {"email": f"n{number}@example.com", "password": "Spring2026!x"})
            for number in range(20)
        ]
        other = await service.post("/auth/login", {"email": "n99@example.com", "password": "another"})

        assert answers[-1].status_code == 429
        assert other.status_code == 401

    async def test_success_forgives(self, service: Any) -> None:
        """Who mistypes four times and then knows the password starts afresh."""
        account = await service.member()
        statuses = []
        for number in range(8):
            given = account.password if number == 4 else f"wrong {number}"
            answer = await service.post("/auth/login", {"email": account.email, "password": given})
            statuses.append(answer.status_code)

        assert statuses == [401, 401, 401, 401, 200, 401, 401, 401]


async def test_rehash(service: Any) -> None:
    """A hash with older parameters is replaced at the next login, and works."""
    account = await service.member()
    older = argon2.PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(account.password)
    await service.iam.tools.change(account.id, hashed_password=older)

    assert [(await service.login(account)).status_code for _ in range(2)] == [200, 200]
    user = await service.iam.tools.users.by_id(account.id)
    assert "m=19456,t=2,p=1" in user.hashed_password


async def test_activity(service: Any) -> None:
    """Logins, good and bad, are in the activity of the account, with the place and without a secret."""
    account = await service.member()
    await service.post("/auth/login", {"email": account.email, "password": "wrong horse battery"})
    answer = await service.as_(account, "GET", "/users/me/activity", headers={"User-Agent": "Firefox"})
    items = answer.json()["items"]
    kinds = [item["kind"] for item in items]

    assert answer.status_code == 200
    assert kinds == ["login.failed", "login.succeeded", "email.verified", "user.registered"]
    assert all(items[1][name] for name in ("session_id", "correlation_id", "ip"))
    assert "wrong horse" not in answer.text
    assert len((await service.as_(account, "GET", "/users/me/activity?limit=1")).json()["items"]) == 1


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "application/json"])
async def test_large_body(service: Any, media_type: str) -> None:
    """A body that is longer than any login is not even read: taking apart an escaped form holds up everybody."""
    body = b"username=" + b"%41" * 100_000
    answer = await service("POST", "/auth/login", content=body, headers={"Content-Type": media_type})

    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_FAILED")
    assert "at most 16384 bytes" in answer.text


async def test_longest_login(service: Any) -> None:
    """The longest name and password there can be fit into a form, every byte of them escaped."""
    body = "".join(["username=", "%41" * 320, "&password=", "%C3%A9" * 512])
    headers = {"Content-Type": "application/x-www-form-urlencoded"}

    assert (await service("POST", "/auth/login", content=body, headers=headers)).status_code == 401
