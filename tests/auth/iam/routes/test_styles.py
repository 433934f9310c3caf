"""Errors in the shapes that older clients read."""

from typing import Any

import pytest

CASES: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "login": (
        "POST",
        "/auth/login",
        {"json": {"email": "a@example.com", "password": "x"}},
        401,
        "LOGIN_BAD_CREDENTIALS",
    ),
    "token": ("GET", "/users/me", {"headers": {"Authorization": "Bearer x"}}, 401, "TOKEN_INVALID"),
    "nobody": ("GET", "/users/me", {}, 401, "AUTH_REQUIRED"),
    "verify": ("POST", "/auth/verify", {"json": {"token": "x"}}, 400, "VERIFY_USER_BAD_TOKEN"),
    "reset": (
        "POST",
        "/auth/reset-password",
        {"json": {"token": "x", "password": "x"}},
        400,
        "RESET_PASSWORD_BAD_TOKEN",
    ),
    "invalid": ("POST", "/auth/verify", {"json": {}}, 422, "VALIDATION_FAILED"),
    "unknown-path": ("GET", "/users/me/nothing", {"headers": {}}, 401, "AUTH_REQUIRED"),
}
LEGACY = {
    "LOGIN_BAD_CREDENTIALS": "AUTHENTICATION_FAILED",
    "TOKEN_INVALID": "AUTHENTICATION_FAILED",
    "VERIFY_USER_BAD_TOKEN": "INVALID_VERIFY_TOKEN",
    "RESET_PASSWORD_BAD_TOKEN": "INVALID_RESET_TOKEN",
}


async def answers(service: Any, case: str) -> tuple[Any, int, str]:
    method, path, options, status, code = CASES[case]
    return await service(method, path, **options), status, code


@pytest.mark.parametrize("case", CASES)
async def test_problem(start: Any, case: str) -> None:
    """By default an error is a problem document, whoever has raised it."""
    async with start() as service:
        answer, status, code = await answers(service, case)
        body = answer.json()

        assert (status, code, status) == (answer.status_code, body["code"], body["status"])
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "detail", "instance", "correlation_id", "domain"} <= set(body)


@pytest.mark.parametrize("case", CASES)
async def test_fastapi_users(start: Any, case: str) -> None:
    """In the style of fastapi-users it is the code alone; status and challenge stay."""
    async with start(AUTH_ERROR_STYLE="fastapi-users") as service:
        answer, status, code = await answers(service, case)

        assert (status, {"detail": code}) == (answer.status_code, answer.json())
        assert ("www-authenticate" in answer.headers) == (status == 401)
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("case", CASES)
async def test_legacy(start: Any, case: str) -> None:
    """In the oldest style it has the code of that time, a message and details."""
    async with start(AUTH_ERROR_STYLE="legacy") as service:
        answer, status, code = await answers(service, case)
        error = answer.json()["error"]

        assert (status, LEGACY.get(code, code)) == (answer.status_code, error["code"])
        assert {"code", "message", "details"} == set(error)


async def test_reasons(start: Any) -> None:
    """Why a password is refused is told in every style."""
    for style in ("fastapi-users", "legacy"):
        async with start(AUTH_ERROR_STYLE=style) as service:
            answer = await service.post("/auth/register", {"email": service.address(), "password": "password1!"})

            assert answer.status_code == 400
            assert "tried first" in answer.text


async def test_success_is_untouched(start: Any) -> None:
    """What succeeds looks the same in every style."""
    async with start(AUTH_ERROR_STYLE="legacy") as service:
        member = await service.member()

        assert member.email == (await service.as_(member, "GET", "/users/me")).json()["email"]
