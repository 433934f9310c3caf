from itertools import product
from pathlib import Path
from typing import Annotated, Any, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError

from mysingle._kernel.allocation import RedisDB
from mysingle._kernel.settings import CommonSettings, get_settings, reset_settings, set_settings

SECRET = "hunter2-hunter2"


class Script(Protocol):
    def __call__(self, source: str, **variables: str) -> Any: ...


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory, with a secrets directory beside it that is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(CommonSettings, "secrets_directory", tmp_path / "secrets")
    return tmp_path


ENVIRONMENTS = [
    # value, name, development, production, relaxed, explicit
    (None, "development", True, False, False, False),
    ("", "development", True, False, False, False),
    (" ", "", True, False, False, False),
    ("\t", "", True, False, False, False),
    ("development", "development", True, False, True, True),
    ("Development ", "development", True, False, True, True),
    ("\tDEVELOPMENT", "development", True, False, True, True),
    ("local", "local", True, False, True, True),
    ("testing", "testing", False, False, True, True),
    ("staging", "staging", False, False, False, True),
    ("production", "production", False, True, False, True),
    ("prod", "prod", False, True, False, True),
    ("dev", "dev", False, True, False, True),
    ("test", "test", False, True, False, True),
    ("qa-7", "qa-7", False, True, False, True),
    ("development\u200b", "development\u200b", False, True, False, True),
    ("\u00a0development", "\u00a0development", False, True, False, True),
    ("development,production", "development,production", False, True, False, True),
]


@pytest.mark.parametrize(
    ("value", "name", "development", "production", "relaxed", "explicit"),
    ENVIRONMENTS,
    ids=[repr(row[0]) for row in ENVIRONMENTS],
)
def test_environment(
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    name: str,
    development: bool,
    production: bool,
    relaxed: bool,
    explicit: bool,
) -> None:
    """Conveniences follow the environment's name, trust follows only a name that somebody chose."""
    if value is not None:
        monkeypatch.setenv("ENVIRONMENT", value)
    settings = CommonSettings()

    assert name == settings.environment
    assert (development, production) == (settings.is_development, settings.is_production)
    assert (relaxed, explicit) == (settings.is_relaxed, settings.is_environment_explicit)


def test_environment_from_dotenv_is_explicit(directory: Path) -> None:
    """A name in the loaded `.env` counts as chosen."""
    (directory / ".env").write_text("ENVIRONMENT=development\n")

    assert CommonSettings().is_relaxed


SOURCES = ("argument", "environment", "named_file", "dotenv", "directory")


@pytest.mark.parametrize("first", range(len(SOURCES)), ids=SOURCES)
def test_precedence_of_secret(first: int, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources win in the order argument, environment, `_FILE`, `.env`, secrets directory."""
    present, arguments = SOURCES[first:], {}
    if "argument" in present:
        arguments["REDIS_PASSWORD"] = "argument"
    if "environment" in present:
        monkeypatch.setenv("REDIS_PASSWORD", "environment")
    if "named_file" in present:
        (directory / "named").write_text("named_file\n")
        monkeypatch.setenv("REDIS_PASSWORD_FILE", str(directory / "named"))
    if "dotenv" in present:
        (directory / ".env").write_text("REDIS_PASSWORD=dotenv\n")
    (directory / "secrets").mkdir()
    (directory / "secrets" / "redis_password").write_text("directory\n")
    password = CommonSettings(**arguments).REDIS_PASSWORD

    assert password is not None
    assert SOURCES[first] == password.get_secret_value()


@pytest.mark.parametrize(
    ("written", "read"),
    [("pass word\n", "pass word"), ("secret\r\n", "secret"), (" padded ", " padded "), ("päss\n", "päss")],
    ids=["newline", "crlf", "spaces", "utf8"],
)
def test_secret_file_content(written: str, read: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line break at the end of a secret's file is not part of the secret; everything else is."""
    (directory / "secret").write_bytes(written.encode())
    monkeypatch.setenv("MONGODB_PASSWORD_FILE", str(directory / "secret"))
    password = CommonSettings().MONGODB_PASSWORD

    assert password is not None
    assert read == password.get_secret_value()


def test_file_variable_for_plain_field(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`_FILE` is for secrets only, so that another program's `REDIS_HOST_FILE` is not ours to read."""
    (directory / "host").write_text("elsewhere")
    monkeypatch.setenv("REDIS_HOST_FILE", str(directory / "host"))

    assert CommonSettings().REDIS_HOST == "localhost"


@pytest.mark.parametrize("render", [repr, str, lambda s: str(s.model_dump()), lambda s: s.model_dump_json()])
def test_secrets_are_masked(render: Any) -> None:
    """No way of printing settings shows a secret."""
    url = f"mongodb://user:{SECRET}@host"
    settings = CommonSettings(MONGODB_URL=url, MONGODB_PASSWORD=SECRET, REDIS_PASSWORD=SECRET)

    assert SECRET not in render(settings)


LISTS = [
    ("https://a.example", ("https://a.example",)),
    ("https://a.example, https://b.example", ("https://a.example", "https://b.example")),
    (" a ,, b ,", ("a", "b")),
    (",", ()),
    ('["a", "b"]', ("a", "b")),
    ("[]", ()),
    (' ["a,b"]', ("a,b",)),
]


@pytest.mark.parametrize(("text", "expected"), LISTS, ids=[row[0] for row in LISTS])
def test_lists(text: str, expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is written with commas or as JSON."""
    monkeypatch.setenv("CORS_ORIGINS", text)

    assert expected == CommonSettings().CORS_ORIGINS


def test_list_argument() -> None:
    """A list that is an argument stays as it is, commas and all."""
    assert CommonSettings(CORS_ORIGINS=["a,b"]).CORS_ORIGINS == ("a,b",)


ALIASES = [("REDIS_DB_DSL_BYTECODE", "DSL"), ("REDIS_DB_STRATEGY_CACHE", "STRATEGY"), ("REDIS_DB_ML_MODEL", "ML")]


@pytest.mark.parametrize(("alias", "purpose"), ALIASES, ids=[row[0] for row in ALIASES])
class TestAliases:
    def test_is_read(self, alias: str, purpose: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The older name of a database sets it, and both names read the same."""
        monkeypatch.setenv("REDIS_DB_USER", str(RedisDB[purpose].value))
        monkeypatch.setenv(alias, "0")
        settings = CommonSettings()

        assert getattr(settings, f"REDIS_DB_{purpose}") == 0
        assert getattr(settings, alias) == 0

    @pytest.mark.parametrize("source", ["argument", "environment"])
    def test_source_wins_over_spelling(
        self, alias: str, purpose: str, source: str, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The better source wins, whichever of the two names it uses."""
        (directory / ".env").write_text(f"REDIS_DB_{purpose}=14\n")
        arguments: dict[str, Any] = {"REDIS_DB_SUBSCRIPTION": RedisDB[purpose].value}
        if source == "argument":
            arguments[alias] = 14
            monkeypatch.setenv(f"REDIS_DB_{purpose}", "0")
        else:
            (directory / ".env").write_text(f"REDIS_DB_{purpose}=0\n")
            monkeypatch.setenv(alias, "14")

        assert getattr(CommonSettings(**arguments), f"REDIS_DB_{purpose}") == 14


def test_guide_placeholder() -> None:
    """The guide's own `settings.REDIS_DB_MYSERVICE` names the database of its example, the strategy service."""
    settings = CommonSettings()

    assert settings.REDIS_DB_MYSERVICE == settings.REDIS_DB_STRATEGY == 8


def test_unknown_database_name() -> None:
    """A database that nobody has is an AttributeError that lists those that exist, without the reserved one."""
    with pytest.raises(AttributeError, match=r"'REDIS_DB_ORDERS'.*REDIS_DB_USER, REDIS_DB_GRPC") as caught:
        _ = CommonSettings().REDIS_DB_ORDERS

    assert "RESERVED" not in str(caught.value)
    assert not hasattr(CommonSettings(), "NO_SUCH_SETTING")


@given(numbers=st.permutations(range(15)))
def test_any_permutation_is_an_allocation(numbers: list[int]) -> None:
    """Purposes may swap their databases freely, and each number leads back to its purpose."""
    purposes = [db for db in RedisDB if db is not RedisDB.RESERVED]
    values = {f"REDIS_DB_{db.name}": number for db, number in zip(purposes, numbers, strict=True)}
    settings = CommonSettings(_env_file=None, **values)

    assert purposes == [settings.redis_purpose(number) for number in numbers]
    assert settings.redis_purpose(16) is None


URLS: list[tuple[dict[str, Any], str]] = [
    ({}, "redis://localhost:6379"),
    ({"REDIS_TLS": True, "REDIS_PORT": 1}, "rediss://localhost:1"),
    ({"REDIS_PASSWORD": "a/b@c"}, "redis://:a%2Fb%40c@localhost:6379"),
    ({"REDIS_USERNAME": "u", "REDIS_PASSWORD": "p"}, "redis://u:p@localhost:6379"),
    ({"REDIS_USERNAME": "u:x"}, "redis://u%3Ax:@localhost:6379"),
]


@pytest.mark.parametrize(("values", "url"), URLS, ids=[row[1] for row in URLS])
def test_redis_url(values: dict[str, Any], url: str) -> None:
    """The Redis address is computed from its parts, credentials quoted, and has two spellings."""
    settings = CommonSettings(**values)

    assert url == settings.redis_url == settings.REDIS_URL


def test_redis_url_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """REDIS_URL in the environment changes nothing."""
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:1")

    assert CommonSettings().REDIS_URL == "redis://localhost:6379"


MONGO_URLS: list[tuple[dict[str, Any], str]] = [
    ({}, "mongodb://localhost:27017"),
    ({"MONGODB_SERVER": "a:1,b:2"}, "mongodb://a:1,b:2"),
    ({"MONGODB_USERNAME": "u@x", "MONGODB_PASSWORD": "p/q"}, "mongodb://u%40x:p%2Fq@localhost:27017/?authSource=admin"),
    ({"MONGODB_USERNAME": "u"}, "mongodb://u:@localhost:27017/?authSource=admin"),
    ({"MONGODB_URL": "mongodb+srv://x", "MONGODB_USERNAME": "u"}, "mongodb+srv://x"),
]


@pytest.mark.parametrize(("values", "url"), MONGO_URLS, ids=[row[1] for row in MONGO_URLS])
def test_mongodb_url(values: dict[str, Any], url: str) -> None:
    """The MongoDB address is MONGODB_URL, or computed from its parts with the credentials quoted."""
    assert url == CommonSettings(**values).mongodb_url


class OrderSettings(CommonSettings):
    ORDER_LIMIT: int = 10
    ORDER_KEY: Annotated[SecretStr, Field(min_length=4)] = SecretStr("none")


def test_subclass_adds_fields(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's own fields are read from the same sources as ours."""
    (directory / ".env").write_text("ORDER_LIMIT=20\n")
    (directory / "key").write_text(SECRET)
    monkeypatch.setenv("ORDER_KEY_FILE", str(directory / "key"))
    settings = OrderSettings()

    assert (settings.ORDER_LIMIT, settings.ORDER_KEY.get_secret_value()) == (20, SECRET)
    assert settings.REDIS_DB_MYSERVICE == 8


def test_process_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process reads its settings once, on first use; a service may put its own in their place."""
    monkeypatch.setenv("PROJECT_NAME", "first")
    first = get_settings()
    monkeypatch.setenv("PROJECT_NAME", "second")
    again = get_settings()
    own = OrderSettings()
    set_settings(own)
    chosen = get_settings()
    reset_settings()

    assert (first.PROJECT_NAME, again) == ("first", first)
    assert chosen is own
    assert get_settings().PROJECT_NAME == "second"


def test_settings_are_frozen() -> None:
    """Nobody changes the settings of a running process."""
    with pytest.raises(ValidationError, match="frozen"):
        CommonSettings().DEBUG = True  # type: ignore[misc]  # that is the point


LAZY = """
from mysingle.core.config import settings, get_environment, is_development, is_production
import os
os.environ["PROJECT_NAME"] = "late"
assert settings.PROJECT_NAME == "late", settings.PROJECT_NAME
assert (get_environment(), is_development(), is_production()) == ("development", True, False)
assert settings.REDIS_DB_MYSERVICE == 8 and "PROJECT_NAME" in dir(settings) and "late" in repr(settings)
"""


def test_lazy_settings(script: Script) -> None:
    """Importing `settings` reads nothing: not even a wrong variable is noticed before first use."""
    result = script(LAZY)
    wrong = script("from mysingle.core.config import settings", REDIS_PORT="wrong")

    assert (result.returncode, result.stderr) == (0, "")
    assert (wrong.returncode, wrong.stderr) == (0, "")


FLAGS = [
    *product(["true", "TRUE", "1", "yes", "on", " on\t"], [True]),
    *product(["false", "0", "no", "off", "", " False"], [False]),
]


@pytest.mark.parametrize(("text", "expected"), FLAGS, ids=[repr(row[0]) for row in FLAGS])
def test_bypass_flag(text: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bypass flag is one of true, 1, yes and on, in any case, trimmed."""
    monkeypatch.setenv("MYSINGLE_AUTH_BYPASS", text)

    assert expected == CommonSettings().MYSINGLE_AUTH_BYPASS
