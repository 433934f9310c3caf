# ruff: noqa: RUF001  # look-alike letters are the point
from typing import Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle._kernel.settings import AuthSettings, CommonSettings, SettingsError
from mysingle.auth._policy import bypass_is_enabled, gateway_problem, make_policy
from mysingle.auth.startup import check_startup


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
