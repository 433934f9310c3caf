"""The life of an account through the routes, from registration to its end."""

from typing import Any


async def test_life_of_an_account(service: Any) -> None:
    """Somebody registers, verifies, signs in, refreshes, changes the password, resets it, signs out and leaves."""
    account = await service.register(full_name="Ada")

    refused = await service.login(account)
    assert (refused.status_code, refused.json()["code"]) == (403, "LOGIN_USER_NOT_VERIFIED")

    token = await service.outbox.token(account.email, "confirm")
    verified = await service.post("/auth/verify", {"token": token})
    assert (verified.status_code, verified.json()["is_verified"]) == (200, True)

    await service.sign_in(account)
    me = await service.as_(account, "GET", "/users/me")
    assert (200, account.email, 1) == (me.status_code, me.json()["email"], me.json()["login_count"])

    first = account.tokens["refresh_token"]
    refreshed = await service.post("/auth/refresh", {"refresh_token": first})
    assert refreshed.status_code == 200
    account.tokens = refreshed.json()

    change = {"current_password": account.password, "new_password": "another horse battery 8"}
    changed = await service.as_(account, "POST", "/auth/change-password", json=change)
    assert changed.status_code == 204
    assert (await service.login(account)).status_code == 401
    account.password = change["new_password"]
    await service.sign_in(account)

    assert (await service.post("/auth/forgot-password", {"email": account.email})).status_code == 202
    token = await service.outbox.token(account.email, "choose")
    account.password = "a third horse battery 7"
    reset = await service.post("/auth/reset-password", {"token": token, "password": account.password})
    assert reset.status_code == 204
    over = await service.as_(account, "GET", "/users/me")
    assert (over.status_code, over.json()["code"]) == (401, "SESSION_REVOKED")

    await service.sign_in(account)
    assert (await service.as_(account, "POST", "/auth/logout")).status_code == 204
    assert (await service.as_(account, "GET", "/users/me")).status_code == 401

    await service.sign_in(account)
    assert (await service.as_(account, "DELETE", "/users/me")).status_code == 204
    assert (await service.as_(account, "GET", "/users/me")).status_code == 401
    assert (await service.login(account)).status_code == 401
