# ruff: noqa: RUF001  # look-alike letters are the point
from typing import Any, Protocol, cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle._kernel.extras import EXTRAS
from mysingle._kernel.settings import AuthSettings, CommonSettings, SettingsError, set_settings
from mysingle.auth import AuthConfigurationError
from mysingle.auth._policy import bypass_is_enabled, gateway_problem, gateway_trust, make_policy
from mysingle.auth.startup import check_startup
from mysingle.core import create_fastapi_app, create_service_config


class MakeSettings(Protocol):
    def __call__(self, **values: Any) -> CommonSettings: ...


ON = ["true", "TRUE", "1", "yes", "on", " True\t"]
OFF = ["false", "0", "no", "off", "", None]
DEVELOPMENT = ["development", "Development", "DEVELOPMENT", " development ", "\tdevelopment"]
OTHER = [
    None,
    "",
    " ",
    "production",
    "Production",
    "prod",
    "staging",
    "test",
    "testing",
    "local",
    "dev",
    "live",
    "develop",
    "developmentx",
    "development\u200b",
    "\u200bdevelopment",
    "production\u200b",
    "\u00a0development",
    "development\n",
    "ｄｅｖｅｌｏｐｍｅｎｔ",
    "dеvelopment",  # a Cyrillic letter
    "development,production",
    "true",
]


def bypass(monkeypatch: pytest.MonkeyPatch, make_settings: MakeSettings, flag: str | None, name: str | None) -> bool:
    for variable, value in (("MYSINGLE_AUTH_BYPASS", flag), ("ENVIRONMENT", name)):
        if value is not None:
            monkeypatch.setenv(variable, value)
    return bypass_is_enabled(make_settings())


@pytest.mark.parametrize("name", DEVELOPMENT, ids=repr)
@pytest.mark.parametrize("flag", ON, ids=repr)
def test_bypass_is_on(flag: str, name: str, monkeypatch: pytest.MonkeyPatch, make_settings: MakeSettings) -> None:
    """The flag and an explicit `development`, in any case and trimmed, switch the bypass on."""
    assert bypass(monkeypatch, make_settings, flag, name)


@pytest.mark.parametrize("name", OTHER, ids=repr)
def test_bypass_needs_development(
    name: str | None, monkeypatch: pytest.MonkeyPatch, make_settings: MakeSettings
) -> None:
    """Under every other name, and without one, the bypass stays off: an allowlist of one word."""
    assert not bypass(monkeypatch, make_settings, "true", name)


@pytest.mark.parametrize("flag", OFF, ids=repr)
def test_bypass_needs_the_flag(flag: str | None, monkeypatch: pytest.MonkeyPatch, make_settings: MakeSettings) -> None:
    """Without the flag the bypass is off, in development too."""
    assert not bypass(monkeypatch, make_settings, flag, "development")


@pytest.mark.parametrize("flag", ["y", "t", "Y", "T", "enabled", "2", "true\u200b", "ｔｒｕｅ"], ids=repr)
def test_bypass_flag_has_four_words(flag: str, monkeypatch: pytest.MonkeyPatch, make_settings: MakeSettings) -> None:
    """A word that is not true, 1, yes or on is refused, or leaves the bypass off."""
    try:
        enabled = bypass(monkeypatch, make_settings, flag, "development")
    except SettingsError:
        enabled = False

    assert not enabled


def test_bypass_needs_all_settings() -> None:
    """Auth settings alone know no environment, so they switch nothing on."""
    assert not bypass_is_enabled(AuthSettings(MYSINGLE_AUTH_BYPASS=True))


def test_bypass_from_dotenv(tmp_path: Any, make_settings: MakeSettings) -> None:
    """Both conditions may stand in the loaded `.env`."""
    (tmp_path / "dev.env").write_text("ENVIRONMENT=development\nMYSINGLE_AUTH_BYPASS=true\n")

    assert bypass_is_enabled(make_settings(_env_file=tmp_path / "dev.env"))


def test_bypass_users(make_settings: MakeSettings) -> None:
    """The test user is active and verified, a superuser only by the second flag and then with another id."""
    values = {"ENVIRONMENT": "development", "MYSINGLE_AUTH_BYPASS": True, "TEST_USER_EMAIL": "a@b.c"}
    user, admin = (
        make_policy(make_settings(**values, **more), is_gateway_downstream=True, public_paths=()).bypass_user
        for more in ({}, {"MYSINGLE_AUTH_BYPASS_ADMIN": True})
    )

    assert user is not None
    assert admin is not None
    assert (user.id, user.email, user.is_superuser) == ("000000000000000000000001", "a@b.c", False)
    assert (admin.id, admin.is_superuser) == ("000000000000000000000002", True)
    assert (user.is_active, user.is_verified, user.auth_method) == (True, True, "bypass")


TRUST = [
    # environment, trust, headers are believed
    ("development", "auto", True),
    ("development", "none", True),
    ("local", "auto", True),
    ("testing", "auto", True),
    ("testing", "none", True),
    ("production", "auto", False),
    ("production", "none", False),
    ("production", "network", True),
    ("staging", "auto", False),
    ("staging", "none", False),
    ("staging", "network", True),
    ("prod", "auto", False),
    ("prod", "network", True),
    (None, "auto", False),
    (None, "none", False),
    (None, "network", True),
    (" ", "auto", False),
    ("development\u200b", "auto", False),
]


@pytest.mark.parametrize(("environment", "trust", "believed"), TRUST, ids=[f"{row[0]!r} {row[1]}" for row in TRUST])
def test_trust(
    environment: str | None, trust: str, believed: bool, monkeypatch: pytest.MonkeyPatch, make_settings: MakeSettings
) -> None:
    """Headers without a proof are believed only in a relaxed environment, or when somebody vouches for the network."""
    if environment is not None:
        monkeypatch.setenv("ENVIRONMENT", environment)
    settings = make_settings(GATEWAY_TRUST=trust)
    policy = make_policy(settings, is_gateway_downstream=True, public_paths=())

    assert believed == policy.trusts_headers == (gateway_problem(settings) is None)


KEY = "a-gateway-key-of-this-test-suite-only"
ISSUER = {"IAM_ISSUER": "https://iam.example"}
JWKS = {**ISSUER, "IAM_JWKS_URL": "https://iam.example/jwks.json"}
CIDR = {"GATEWAY_CIDRS": "10.0.3.0/24"}
HMAC, SECRET = {"GATEWAY_HMAC_KEYS": KEY}, {"GATEWAY_SHARED_SECRETS": KEY}
PROOFS: list[tuple[str, str | None, dict[str, Any], tuple[str, ...], str]] = [
    # what, environment, settings → the proofs that count, in order, and what the first problem speaks of
    ("hmac", "production", HMAC, ("hmac",), ""),
    ("secret", "production", SECRET, ("secret",), ""),
    ("cidr", "production", CIDR, ("cidr",), ""),
    ("jwt", "production", JWKS, ("jwt",), ""),
    ("all", "production", {**JWKS, **HMAC, **SECRET, **CIDR}, ("cidr", "secret", "hmac", "jwt"), ""),
    ("all, unset", None, {**JWKS, **HMAC, **SECRET, **CIDR}, ("cidr", "secret", "hmac", "jwt"), ""),
    ("listed", "production", {**HMAC, **SECRET, "GATEWAY_TRUST": "hmac"}, ("hmac",), ""),
    ("mtls", "production", {"GATEWAY_TRUST": "mtls"}, ("mtls",), ""),
    ("mtls and jwt", "production", {**JWKS, "GATEWAY_TRUST": "jwt,mtls"}, ("mtls", "jwt"), ""),
    ("listed, not set", "production", {"GATEWAY_TRUST": "hmac"}, (), "GATEWAY_TRUST lists hmac"),
    ("one of two not set", "production", {**HMAC, "GATEWAY_TRUST": "hmac,cidr"}, ("hmac",), "GATEWAY_TRUST lists cidr"),
    ("listed, not set, development", "development", {"GATEWAY_TRUST": "hmac"}, (), "GATEWAY_TRUST lists hmac"),
    ("network beside keys", "production", {**HMAC, "GATEWAY_TRUST": "network"}, ("network",), ""),
    ("A24", "production", {**CIDR, "FORWARDED_ALLOW_IPS": "*"}, (), "GATEWAY_CIDRS"),
    ("A24 beside hmac", "production", {**CIDR, **HMAC, "FORWARDED_ALLOW_IPS": "*"}, ("hmac",), "GATEWAY_CIDRS"),
    ("A24 development", "development", {**CIDR, "FORWARDED_ALLOW_IPS": "*"}, (), "GATEWAY_CIDRS"),
    ("A24 list", "production", {**CIDR, "FORWARDED_ALLOW_IPS": "10.0.0.1, 10.0.0.0/8, proxy"}, ("cidr",), ""),
    ("A31 short", "production", {"GATEWAY_HMAC_KEYS": "short"}, (), "GATEWAY_HMAC_KEYS"),
    ("A31 one of two short", "production", {"GATEWAY_HMAC_KEYS": f"short,{KEY}"}, ("hmac",), ""),
    ("A31 placeholder", "production", {"GATEWAY_SHARED_SECRETS": "change-me" * 5}, (), "GATEWAY_SHARED_SECRETS"),
    ("A31 short, staging", "staging", {"GATEWAY_HMAC_KEYS": "short"}, (), "GATEWAY_HMAC_KEYS"),
    ("short, development", "development", {"GATEWAY_HMAC_KEYS": "short"}, ("hmac",), ""),
    ("jwt without issuer", "production", {"IAM_JWKS_URL": "https://iam.example/jwks.json"}, (), "IAM_ISSUER"),
    ("jwt over http", "production", {**ISSUER, "IAM_JWKS_URL": "http://iam/jwks.json"}, (), "IAM_JWKS_URL"),
    ("jwt on loopback", "production", {**ISSUER, "IAM_JWKS_URL": "http://127.0.0.1:8000/jwks.json"}, ("jwt",), ""),
    ("A31 HS256 alone", "production", {**JWKS, "AUTH_ALGORITHMS": "HS256"}, (), "AUTH_ALGORITHMS"),
    ("HS256 opted in", "production", {**JWKS, "AUTH_ALGORITHMS": "HS256", "AUTH_ALLOW_HS256": True}, ("jwt",), ""),
    ("A32 nothing", "production", {}, (), "GATEWAY_TRUST: nothing proves"),
    ("nothing, development", "development", {}, ("none",), ""),
    ("none, development", "development", {"GATEWAY_TRUST": "none"}, ("none",), ""),
    ("none beside a key, development", "development", {**HMAC, "GATEWAY_TRUST": "none"}, ("hmac",), ""),
    ("none beside a key, production", "production", {**HMAC, "GATEWAY_TRUST": "none"}, (), "GATEWAY_TRUST=none"),
]


@pytest.mark.parametrize(
    ("environment", "values", "proofs", "problem"), [row[1:] for row in PROOFS], ids=[row[0] for row in PROOFS]
)
def test_proofs(
    environment: str | None, values: Any, proofs: tuple[str, ...], problem: str, make_settings: MakeSettings
) -> None:
    """What counts as a proof follows from the material and the environment, and what is unsafe is told by name."""
    chosen = {**values, **({"ENVIRONMENT": environment} if environment else {})}
    trust = gateway_trust(make_settings(**chosen))

    assert proofs == trust.proofs
    assert bool(problem) == bool(trust.problems)
    assert problem in "".join(trust.problems)
    assert KEY not in str(trust.problems)


PATHS = [
    # public path, requested path, is public
    ("/health", "/health", True),
    ("/health", "/health/", False),
    ("/health", "/healthz-x", False),
    ("/health", "/health/details", False),
    ("/health", "/Health", False),
    ("/health", "//health", False),
    ("/health", "/x/../health", False),
    ("/public/*", "/public/a", True),
    ("/public/*", "/public/a/b", True),
    ("/public/*", "/public", True),
    ("/public/*", "/public/", True),
    ("/public/*", "/publicity", False),
    ("/public/*", "/public-x/a", False),
    ("/public/*", "/Public/a", False),
    ("/public/*", "/x/public/a", False),
    ("/public/*", "/public/../admin", False),
    ("/public/*", "/public/./../admin", False),
    ("/public/*", "/public/a/../../admin", False),
    ("/public/*", "/public//../admin", False),
    ("/public/*", "//public/a", False),
    ("/public/*", "/admin/../public/a", False),
    ("/public/*", "/admin/./../public/a", False),
    ("/public/*", "/public\\..\\admin", False),
    ("/public/*", "", False),
    ("/public/*", "public/a", False),
    ("/a/b/*", "/a/b/c", True),
    ("/a/b/*", "/a/c", False),
]


@pytest.mark.parametrize(("public", "path", "expected"), PATHS, ids=[f"{row[0]} {row[1]}" for row in PATHS])
def test_public_path(public: str, path: str, expected: bool, make_settings: MakeSettings) -> None:
    """
    A path is public exactly, or below a public segment.

    Dot segments open nothing: the app's own router does not resolve them, so a path that only becomes public when
    they are resolved may reach a handler that is not.
    """
    policy = make_policy(make_settings(), is_gateway_downstream=True, public_paths=[public])

    assert expected == policy.is_public(path)


@given(tail=st.lists(st.sampled_from(["..", ".", "", "a", "public"]), max_size=6))
def test_dot_segments_never_leave(tail: list[str]) -> None:
    """A path whose dots leave the public segment, on the way or in the end, is not public."""
    policy = make_policy(CommonSettings(_env_file=None), is_gateway_downstream=True, public_paths=["/public/*"])
    path = "/" + "/".join(["public", *tail])
    depth = [0]
    for segment in tail:
        depth.append(depth[-1] + {"..": -1, ".": 0, "": 0}.get(segment, 1))

    assert min(depth) >= 0 or not policy.is_public(path)


@pytest.mark.parametrize("path", ["health", "", "*", "/*", "//*", "https://x/health"])
def test_bad_public_path(path: str, make_settings: MakeSettings) -> None:
    """A public path begins with a slash and does not open everything."""
    with pytest.raises(ValueError, match="must start with '/'"):
        make_policy(make_settings(), is_gateway_downstream=True, public_paths=[path])


def test_public_paths_of_settings(make_settings: MakeSettings) -> None:
    """AUTH_PUBLIC_PATHS opens paths beside those of the code."""
    settings = make_settings(AUTH_PUBLIC_PATHS="/a, /b/*")
    policy = make_policy(settings, is_gateway_downstream=True, public_paths=["/c"])

    assert [policy.is_public(path) for path in ("/a", "/b/x", "/c", "/d")] == [True, True, True, False]


STARTUP = [
    # environment, trust, bypass, downstream → problems, warnings, bypass refused, weak trust
    ("production", "auto", False, True, 1, 0, False, False),
    ("production", "none", False, True, 1, 0, False, False),
    ("production", "network", False, True, 0, 1, False, True),
    ("production", "auto", False, False, 0, 0, False, False),
    ("production", "network", True, True, 0, 1, True, True),
    ("development", "auto", False, True, 0, 1, False, True),
    ("development", "auto", True, True, 0, 2, False, True),
    ("development", "auto", True, False, 0, 1, False, False),
    (None, "auto", True, True, 1, 0, True, False),
    ("local", "auto", True, True, 0, 1, True, True),
]


@pytest.mark.parametrize(
    ("environment", "trust", "flag", "downstream", "problems", "warnings", "refused", "weak"),
    STARTUP,
    ids=[f"{row[0]} {row[1]} bypass={row[2]} downstream={row[3]}" for row in STARTUP],
)
def test_startup(
    environment: str | None,
    trust: str,
    flag: bool,
    downstream: bool,
    problems: int,
    warnings: int,
    refused: bool,
    weak: bool,
    monkeypatch: pytest.MonkeyPatch,
    make_settings: MakeSettings,
) -> None:
    """Start-up refuses, warns and counts by what applies; IAM needs no gateway proof."""
    if environment:
        monkeypatch.setenv("ENVIRONMENT", environment)
    settings = make_settings(GATEWAY_TRUST=trust, MYSINGLE_AUTH_BYPASS=flag)
    found = check_startup(settings, is_gateway_downstream=downstream)

    assert (problems, warnings) == (len(found.problems), len(found.warnings))
    assert (refused, weak) == (found.is_bypass_refused, found.is_trust_weak)


def test_startup_of_mtls(make_settings: MakeSettings) -> None:
    """With mtls the operator hears what the server has to do, because the app cannot see it."""
    found = check_startup(make_settings(ENVIRONMENT="production", GATEWAY_TRUST="mtls"), is_gateway_downstream=True)

    assert (found.problems, found.is_trust_weak) == ((), False)
    assert "--ssl-cert-reqs 2" in found.warnings[0]


KEY_FILES = [("missing", None, "cannot be read"), ("no JSON", "x", "no JSON object"), ("good", "", "")]


@pytest.mark.parametrize(("content", "problem"), [row[1:] for row in KEY_FILES], ids=[row[0] for row in KEY_FILES])
def test_startup_reads_the_keys(
    content: str | None, problem: str, make_settings: MakeSettings, issuer: Any, tmp_path: Any
) -> None:
    """A file of keys that cannot be used forbids the start, before the first token comes."""
    values = issuer.settings()
    if content is None:
        values["IAM_PUBLIC_KEYS_FILE"].unlink()
    elif content:
        values["IAM_PUBLIC_KEYS_FILE"].write_text(content)
    found = check_startup(make_settings(**values), is_gateway_downstream=True).problems

    assert bool(problem) == bool(found)
    assert all(item.startswith("IAM_PUBLIC_KEYS_FILE") and problem in item for item in found)


UNSAFE: list[tuple[str, dict[str, Any], str]] = [
    ("A24", {"GATEWAY_CIDRS": "10.0.3.0/24", "FORWARDED_ALLOW_IPS": "*"}, "GATEWAY_CIDRS proves nothing"),
    ("A31 placeholder", {"GATEWAY_HMAC_KEYS": "change-this-" * 4}, "GATEWAY_HMAC_KEYS is a placeholder"),
    ("A31 short", {"GATEWAY_SHARED_SECRETS": "short"}, "GATEWAY_SHARED_SECRETS is shorter than 32 bytes"),
    ("A31 short key", {"GATEWAY_HMAC_KEYS": "short"}, "GATEWAY_HMAC_KEYS is shorter than 32 bytes"),
    ("A31 two short", {"GATEWAY_TRUST": "hmac", "GATEWAY_HMAC_KEYS": "short,tiny"}, "GATEWAY_HMAC_KEYS is shorter"),
    ("A31 HS256", {"GATEWAY_TRUST": "network", "AUTH_ALGORITHMS": "ES256,HS256"}, "AUTH_ALLOW_HS256=true"),
    ("A32", {}, "nothing proves"),
    ("none", {"GATEWAY_TRUST": "none"}, "GATEWAY_TRUST=none"),
]


@pytest.mark.parametrize(("values", "problem"), [row[1:] for row in UNSAFE], ids=[row[0] for row in UNSAFE])
async def test_unsafe_service(values: Any, problem: str, make_settings: MakeSettings, tmp_path: Any) -> None:
    """The app is made, the start is refused by name, and whoever serves it all the same believes nobody."""
    settings = make_settings(ENVIRONMENT="production", LOG_FILE=tmp_path / "service.log", **values)
    set_settings(settings)
    app = create_fastapi_app(create_service_config("my-service"))
    with pytest.raises(AuthConfigurationError, match="must not start") as caught:
        async with app.router.lifespan_context(app):
            raise AssertionError("it started")
    other = create_fastapi_app(create_service_config("my-service"))
    headers = {"X-User-Id": "0" * 24, "X-Gateway-Secret": "short"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url="http://a") as client:
        answer = await client.get("/orders", headers=headers)

    assert problem in str(caught.value)
    assert len(caught.value.problems) == 1
    assert "change-this-change" not in str(caught.value)
    if settings.GATEWAY_TRUST != ("network",):
        assert (answer.status_code, answer.json()["code"]) == (401, "GATEWAY_PROOF_MISSING")


EARNEST = {"AUTH_SECRET_KEY": "a-secret-of-this-test-suite-with-32-bytes"}
BYPASSED: list[tuple[str, dict[str, Any], int]] = [
    ("alone", {}, 0),
    ("Kubernetes", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, 1),
    ("real key, other origin", {**EARNEST, "CORS_ORIGINS": "http://localhost:3000,https://app.example"}, 1),
    ("real key, local origins", {**EARNEST, "CORS_ORIGINS": "http://localhost:3000,http://127.0.0.1,http://[::1]"}, 0),
    ("short key, other origin", {"AUTH_SECRET_KEY": "short", "CORS_ORIGINS": "https://app.example"}, 0),
    ("other origin", {"CORS_ORIGINS": "https://app.example"}, 0),
]


@pytest.mark.parametrize(("values", "more"), [row[1:] for row in BYPASSED], ids=[row[0] for row in BYPASSED])
def test_bypass_in_earnest(values: Any, more: int, make_settings: MakeSettings) -> None:
    """Where the bypass looks like a mistake there is a warning, and the outcome stays the same."""
    settings = make_settings(ENVIRONMENT="development", MYSINGLE_AUTH_BYPASS=True, **values)
    found = check_startup(settings, is_gateway_downstream=False)

    assert bypass_is_enabled(settings)
    assert len(found.warnings) == 1 + more


def test_startup_without_the_library(make_settings: MakeSettings, issuer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tokens shall be verified and nothing can, the start says what to install."""
    monkeypatch.setitem(cast("dict[str, tuple[str, ...]]", EXTRAS), "auth", ("no_such_library",))
    (problem,) = check_startup(make_settings(**issuer.settings()), is_gateway_downstream=True).problems

    assert 'pip install "mysingle[auth]"' in problem
