"""
A provider of sign-ins, as a process of its own: OpenID Connect below `/oidc` and `/google`, Kakao, and Naver.

It consents at once, signs id tokens for real, checks codes, PKCE and client secrets, and misbehaves when it is told
to: `POST /_control` sets the switches, `GET /_calls` says what was asked. Its first line of output is its port.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "client-1", "a secret that the provider has chosen"
KID, EC_KID = "key-1", "key-ec"
KEYS = {
    "own": RSAKey.generate_key(2048),
    "other": RSAKey.generate_key(2048),
    "ec": ECKey.generate_key("P-256"),
}
PROFILE = {
    "sub": "42",
    "email": "ada@example.com",
    "email_verified": True,
    "name": "Ada",
    "picture": "https://x.test/a",
}
CALM: dict[str, Any] = {
    "profile": PROFILE,  # who signs in
    "claims": {},  # what an id token says instead; null leaves the claim out
    "header": {},  # what its header says instead
    "signed_by": "own",  # own, other, ec, none, secret, public
    "fail": {},  # endpoint → how it fails
    "email_in_userinfo": False,
    "userinfo": {},
    "metadata": {},
    "lifetime": 600,
}
HANG_SECONDS = 30


class State:
    """What the process knows; one lock for all of it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.switches = dict(CALM)
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: set[str] = set()
        self.calls: list[dict[str, Any]] = []


STATE = State()


class RefusedError(Exception):
    """An error of the protocol."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/_control":
            with STATE.lock:
                STATE.switches = CALM | json.loads(body)
                STATE.calls.clear()
            self._json({})
            return
        self._serve(dict(parse_qsl(body.decode())))

    def _serve(self, form: dict[str, str]) -> None:
        parts = urlsplit(self.path)
        endpoint = parts.path.rsplit("/", 1)[-1]
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/_calls":
            self._json(STATE.calls)
            return
        authorization = self.headers.get("Authorization", "")
        STATE.calls.append({"path": parts.path, "query": query, "form": form, "authorization": authorization})
        if self._fails(STATE.switches["fail"].get(endpoint)):
            return
        try:
            self._answer(parts.path, endpoint, query, form)
        except RefusedError as error:
            # Naver answers 200 here, as it does.
            self._json({"error": str(error)}, 200 if "oauth2.0" in parts.path else 400)

    def _fails(self, how: str | None) -> bool:
        if how is None:
            return False
        if how == "hang":
            time.sleep(HANG_SECONDS)
        elif how == "drip":
            self._send(200, b"", "application/json", length=1000)
            for _ in range(100):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.2)
        elif how == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            answers = {
                "500": (500, b'{"error": "server_error"}', "application/json"),
                "html": (200, b"<html><body>Sorry</body></html>", "text/html"),
                "big": (200, b'{"filler": "' + b"x" * 2_000_000 + b'"}', "application/json"),
                "deep": (200, b"[" * 100_000, "application/json"),
                "list": (200, b"[]", "application/json"),
                "empty": (200, b"{}", "application/json"),
                "twice": (200, b'{"access_token": "a", "access_token": "b"}', "application/json"),
                "zip": (200, b"{}", "application/json"),
            }
            status, body, kind = answers[how]
            self._send(status, body, kind, encoding="gzip" if how == "zip" else None)
        return True

    def _answer(self, path: str, endpoint: str, query: dict[str, str], form: dict[str, str]) -> None:
        base = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
        issuer = f"{base}/{path.split('/')[1]}"
        if endpoint == "openid-configuration":
            self._json(_metadata(issuer) | STATE.switches["metadata"])
        elif endpoint == "authorize":
            self._authorize(query)
        elif endpoint == "token":
            self._json(_token(issuer, form, self.headers.get("Authorization")))
        elif endpoint == "jwks":
            self._json(_jwks())
        else:
            self._require_token()
            self._json(_profile(path))

    def _authorize(self, query: dict[str, str]) -> None:
        code = secrets.token_urlsafe(16)
        STATE.codes[code] = query
        location = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        self.send_response(302)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _require_token(self) -> None:
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in STATE.tokens:
            raise RefusedError("invalid_token")

    def _json(self, document: Any, status: int = 200) -> None:
        self._send(status, json.dumps(document).encode(), "application/json")

    def _send(
        self, status: int, body: bytes, kind: str, encoding: str | None = None, length: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


def _metadata(issuer: str) -> dict[str, Any]:
    base = issuer.rsplit("/", 1)[0]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{base}/v1/oidc/userinfo" if issuer.endswith("kakao") else f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"]
        if issuer.endswith("oidc")
        else ["client_secret_post"],
    }


def _jwks() -> dict[str, Any]:
    rsa, ec = KEYS["own"].as_dict(private=False), KEYS["ec"].as_dict(private=False)
    return {"keys": [rsa | {"kid": KID, "alg": "RS256", "use": "sig"}, ec | {"kid": EC_KID, "use": "sig"}]}


def _token(issuer: str, form: dict[str, str], authorization: str | None) -> dict[str, Any]:
    _check_client(form, authorization)
    asked = STATE.codes.pop(form.get("code", ""), None)
    if asked is None or form.get("grant_type") != "authorization_code":
        raise RefusedError("invalid_grant")
    if asked["client_id"] != CLIENT_ID or asked["redirect_uri"] != form.get("redirect_uri"):
        raise RefusedError("invalid_grant")
    if "oauth2.0" in issuer and form.get("state") != asked["state"]:
        raise RefusedError("invalid_request")
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked.get("code_challenge"):
        raise RefusedError("invalid_grant")
    access_token = secrets.token_urlsafe(16)
    STATE.tokens.add(access_token)
    answer = {
        "access_token": access_token,
        "refresh_token": "provider-refresh",
        "token_type": "bearer",
        "expires_in": 3600,
    }
    if "oauth2.0" in issuer or "openid" not in asked.get("scope", "").split():
        return answer
    return answer | {"id_token": _id_token(issuer, asked)}


def _check_client(form: dict[str, str], authorization: str | None) -> None:
    if authorization is not None:
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
    else:
        given = f"{form.get('client_id')}:{form.get('client_secret')}"
    if given != f"{CLIENT_ID}:{CLIENT_SECRET}":
        raise RefusedError("invalid_client")


def _id_token(issuer: str, asked: dict[str, str]) -> str:
    switches, now = STATE.switches, int(time.time())
    profile = {"sub": switches["profile"]["sub"]} if _hides_profile(issuer) else switches["profile"]
    claims = {
        "iss": issuer,
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + switches["lifetime"],
        "nonce": asked.get("nonce"),
        **profile,
        **switches["claims"],
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return _signed(claims, switches["signed_by"], switches["header"])


def _hides_profile(issuer: str) -> bool:
    return issuer.endswith("kakao") or STATE.switches["email_in_userinfo"]


def _signed(claims: dict[str, Any], signed_by: str, more: dict[str, Any]) -> str:
    header = {name: value for name, value in ({"alg": "RS256", "kid": KID} | more).items() if value is not None}
    if signed_by == "none":
        parts = ({"alg": "none"} | more, claims)
        return (
            ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."
        )
    if signed_by in ("secret", "public"):
        raw = CLIENT_SECRET.encode() if signed_by == "secret" else KEYS["own"].as_pem(private=False)
        return jwt.encode({**header, "alg": "HS256"}, claims, OctKey.import_key(raw.hex()), algorithms=["HS256"])
    if signed_by == "ec":
        return jwt.encode({"alg": "ES256", "kid": EC_KID} | more, claims, KEYS["ec"], algorithms=["ES256"])
    return jwt.encode(header, claims, KEYS[signed_by], algorithms=["RS256"])


def _profile(path: str) -> dict[str, Any]:
    profile = STATE.switches["profile"]
    if path == "/v2/user/me":
        account = {
            "email": profile.get("email"),
            "is_email_valid": profile.get("is_email_valid", True),
            "is_email_verified": profile.get("email_verified"),
            "profile": {"nickname": profile.get("name")},
        }
        return {"id": int(profile["sub"]), "kakao_account": account} | STATE.switches["userinfo"]
    if path == "/v1/nid/me":
        response = {"id": profile["sub"], "email": profile.get("email"), "name": profile.get("name")}
        return {"resultcode": "00", "message": "success", "response": response} | STATE.switches["userinfo"]
    return profile | STATE.switches["userinfo"]


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
