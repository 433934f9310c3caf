"""The API document of an IAM service is the table of its routes."""

import re
from typing import Any

import pytest
from fastapi import FastAPI

from mysingle.core import ServiceType, create_fastapi_app, create_service_config

# method path | caller | success | refusals of the table; what authentication itself refuses is added below
TABLE = """
POST /api/v1/auth/register | public | 201 202 | 400 403 409 422 429 503
POST /api/v1/auth/login | public | 200 | 401 403 422 429 503
POST /api/v1/auth/mfa/verify | public | 200 | 401 403 422 429 503
POST /api/v1/auth/mfa/setup | user | 200 | 409 422 429
POST /api/v1/auth/mfa/enable | user | 200 | 409 422 429
POST /api/v1/auth/mfa/disable | user | 204 | 422 429
POST /api/v1/auth/refresh | public | 200 | 401 403 409 422 503
POST /api/v1/auth/logout | public | 204 | 403 422 503
GET /api/v1/auth/token/verify | user | 200 |
POST /api/v1/auth/verify | public | 200 | 400 422 429 503
POST /api/v1/auth/forgot-password | public | 202 | 422 429 503
POST /api/v1/auth/request-verify-token | public | 202 | 422 429 503
POST /api/v1/auth/reset-password | public | 204 | 400 422 429 503
POST /api/v1/auth/change-password | user | 204 | 400 422 429
GET /api/v1/auth/sessions | user | 200 |
DELETE /api/v1/auth/sessions | user | 204 |
DELETE /api/v1/auth/sessions/{sid} | user | 204 | 404 422
GET /api/v1/users/me | user | 200 |
PATCH /api/v1/users/me | user | 200 | 400 422 429
DELETE /api/v1/users/me | user | 204 | 409 422 429
GET /api/v1/users/me/activity | user | 200 | 422
GET /api/v1/users/me/oauth-accounts | user | 200 |
DELETE /api/v1/users/me/oauth-accounts/{oauth_name}/{account_id} | user | 204 | 404 409 422
GET /api/v1/users | user | 200 | 422
POST /api/v1/users | user | 201 | 400 422
GET /api/v1/users/{user_id} | user | 200 | 404 422
PATCH /api/v1/users/{user_id} | user | 200 | 404 409 422
DELETE /api/v1/users/{user_id} | user | 204 | 404 409 422
GET /api/v1/users/{user_id}/activity | user | 200 | 404 422
GET /api/v1/users/{user_id}/oauth-accounts | user | 200 | 404 422
DELETE /api/v1/users/{user_id}/sessions | user | 204 | 404 422
DELETE /api/v1/users/{user_id}/mfa | user | 204 | 404 422
POST /api/v1/users/{user_id}/password-reset | user | 202 | 404 422
GET /.well-known/jwks.json | public | 200 | 503
GET /.well-known/openid-configuration | public | 200 | 503
"""
OAUTH = {
    ("get", "/api/v1/oauth2/{provider}/authorize"),
    ("get", "/api/v1/oauth2/{provider}/callback"),
    ("post", "/api/v1/oauth2/{provider}/callback"),
    ("get", "/api/v1/oauth2/{provider}/link"),
    ("post", "/api/v1/oauth2/{provider}/link/callback"),
}
ROWS = [[part.strip() for part in line.split("|")] for line in TABLE.strip().splitlines()]
OPERATIONS = {"/health", "/ready", "/live", "/startup", "/metrics", "/health/details"}


@pytest.fixture
def app(configure: Any) -> FastAPI:
    configure()
    return create_fastapi_app(create_service_config("iam-service", ServiceType.IAM_SERVICE))


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.rstrip("/") not in OPERATIONS
    }


def test_the_table_is_complete(document: dict[str, Any]) -> None:
    """There is no route that the table does not know, and none is missing."""
    expected = {(method.lower(), path) for method, path in (row[0].split() for row in ROWS)}

    assert expected | OAUTH == set(operations(document))


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_statuses(document: dict[str, Any], row: list[str]) -> None:
    """Each route documents the statuses of its row, and those of authentication where it needs a caller."""
    method, path = row[0].split()
    expected = {*row[2].split(), *row[3].split(), *(["401", "403", "503"] if row[1] == "user" else [])}

    assert expected == set(operations(document)[method.lower(), path]["responses"])


def test_refusals_are_problems(document: dict[str, Any]) -> None:
    """Every refusal is a problem document."""
    kinds = {
        tuple(response.get("content", {}))
        for operation in operations(document).values()
        for status, response in operation["responses"].items()
        if status >= "400"
    }

    assert {("application/problem+json",)} == kinds
    assert "Problem" in document["components"]["schemas"]


def test_callers_are_documented(document: dict[str, Any]) -> None:
    """A route that needs a caller says how to be one: a bearer token or a cookie."""
    schemes = {row[0]: operations(document)[_key(row)].get("security") for row in ROWS}

    assert {row[0]: [{"bearer": []}, {"cookie": []}] if row[1] == "user" else None for row in ROWS} == schemes
    assert {"bearer", "cookie"} <= set(document["components"]["securitySchemes"])


def _key(row: list[str]) -> tuple[str, str]:
    method, path = row[0].split()
    return method.lower(), path


def test_operation_ids(document: dict[str, Any]) -> None:
    """Every operation has an id of its own, so that clients can be generated."""
    ids = [operation["operationId"] for operation in operations(document).values()]

    assert len(ids) == len(set(ids))
    assert "auth-login" in ids


def test_every_body_forbids_what_it_does_not_know(document: dict[str, Any]) -> None:
    """No route sets a field by accident: what a body may hold is listed, and nothing else."""
    schemas = document["components"]["schemas"]
    named = set()
    for operation in operations(document).values():
        for media in operation.get("requestBody", {}).get("content", {}).values():
            named |= set(re.findall(r"#/components/schemas/(\w+)", str(media["schema"])))

    assert {name for name in named if schemas[name].get("additionalProperties") is not False} == set()


@pytest.mark.parametrize("row", [row for row in ROWS if row[1] == "user"], ids=lambda row: row[0])
async def test_nobody_gets_in_without_a_token(service: Any, row: list[str]) -> None:
    """A route that needs a caller answers 401 to nobody, with a challenge, whatever is in the body."""
    method, path = row[0].split()
    answer = await service.http.request(method, path.replace("{", "").replace("}", ""), json={})

    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_REQUIRED")
    assert answer.headers["www-authenticate"].startswith('Bearer realm="mysingle"')


@pytest.mark.parametrize("row", [row for row in ROWS if "/.well-known" not in row[0]], ids=lambda row: row[0])
async def test_nothing_is_stored(service: Any, row: list[str]) -> None:
    """No successful answer and no refusal of a route may be kept by a cache."""
    member = await service.member(is_superuser=True)
    method, path = row[0].split()
    path = path.replace("{user_id}", member.id).replace("{", "").replace("}", "")
    answer = await service.http.request(method, path, headers=member.bearer)

    assert answer.status_code >= 400 or answer.headers["cache-control"] == "no-store"
