from examples.demo.caller import Caller
from examples.demo.mailbox import Mailbox
from examples.demo.tour import bearer

ALICE = {"email": "alice@example.com", "password": "a rather long passphrase"}


def test_life_of_an_account(caller: Caller, mailbox: Mailbox) -> None:
    """Register, follow the link of the mail, sign in, renew, sign out: nothing of it needs a line of code here."""
    registered = caller.call("POST", "/api/v1/auth/register", body=ALICE)
    too_early = caller.call("POST", "/api/v1/auth/login", body=ALICE)
    verified = caller.call("POST", "/api/v1/auth/verify", body={"token": mailbox.token_for(ALICE["email"])})
    tokens = caller.call("POST", "/api/v1/auth/login", body=ALICE).body
    renewed = caller.call("POST", "/api/v1/auth/refresh", body={"refresh_token": tokens["refresh_token"]}).body
    me = caller.call("GET", "/api/v1/users/me", bearer(renewed["access_token"]))
    left = caller.call("POST", "/api/v1/auth/logout", bearer(renewed["access_token"]), {})
    afterwards = caller.call("GET", "/api/v1/users/me", bearer(renewed["access_token"]))

    assert (registered.status, too_early.code, verified.status) == (201, "LOGIN_USER_NOT_VERIFIED", 200)
    assert (me.status, me.body["email"], me.body["is_verified"]) == (200, ALICE["email"], True)
    assert (left.status, afterwards.code) == (204, "SESSION_REVOKED")


def test_identity_headers_count_for_nothing(caller: Caller) -> None:
    """An IAM service believes its own tokens and nobody's headers."""
    answer = caller.call("GET", "/api/v1/users/me", {"X-User-Id": "a11ce0000000000000000001"})

    assert (answer.status, answer.code) == (401, "AUTH_REQUIRED")


def test_keys_are_public(caller: Caller) -> None:
    """Services find the public keys, and nothing private beside them."""
    keys = caller.call("GET", "/.well-known/jwks.json").body["keys"]

    assert [(key["alg"], key["use"]) for key in keys[:1]] == [("ES256", "sig")]
    assert not any("d" in key for key in keys)
