from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, SecretBytes, SecretStr, model_validator

from mysingle._kernel.settings import CommonSettings, SettingsError

SECRET = "hunter2-hunter2"
NUMBER = "should be greater than 0"

WRONG = [
    ("DEBUG", "maybe", "valid boolean"),
    ("LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
    ("LOG_FORMAT", "xml", "'json' or 'console'"),
    ("STARTUP_TIMEOUT_SECONDS", "soon", "valid number"),
    ("AUDIT_LOGGING_ENABLED", "2", "valid boolean"),
    ("CORS_ORIGINS", "[1", "valid tuple"),
    ("HTTP_MAX_BODY_BYTES", "0", NUMBER),
    ("HTTP_MAX_HEADER_BYTES", "1.5", "valid integer"),
    ("HTTP_BODY_TIMEOUT_SECONDS", "-1", NUMBER),
    ("DRAIN_DELAY_SECONDS", "-0.1", "greater than or equal to 0"),
    ("MONGODB_MIN_POOL_SIZE", "-1", "greater than or equal to 0"),
    ("MONGODB_TIMEOUT_MS", "0", NUMBER),
    ("REDIS_PORT", "65536", "less than or equal to 65535"),
    ("REDIS_TLS", "tls", "valid boolean"),
    ("REDIS_MODE", "ring", "'standalone', 'sentinel' or 'cluster'"),
    ("REDIS_POLICY", "lax", "'warn' or 'strict'"),
    ("REDIS_DB_USER", "16", "less than or equal to 15"),
    ("REDIS_DB_GRPC", "-1", "greater than or equal to 0"),
    ("REDIS_DB_SESSION", "three", "valid integer"),
    ("MYSINGLE_AUTH_BYPASS", "perhaps", "valid boolean"),
    ("GATEWAY_TRUST", "everyone", "auto, network, none, or a list of jwt, hmac, secret, mtls, cidr"),
    ("GATEWAY_ASSUME_VERIFIED", "si", "valid boolean"),
    ("AUTH_PUBLIC_PATHS", "[/a]", "valid tuple"),
]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(CommonSettings, "secrets_directory", tmp_path / "secrets")
    return tmp_path


def problems(cls: type[CommonSettings] = CommonSettings, **values: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError, match="Settings cannot be used") as caught:
        cls(**values)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize(("name", "value", "accepted"), WRONG, ids=[row[0] for row in WRONG])
def test_one_problem(name: str, value: str, accepted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem names the variable, its value, where it came from, and what would be accepted."""
    monkeypatch.setenv(name, value)
    (problem,) = problems()

    assert problem.startswith(f"{name} = ")
    assert value in problem or value.upper() in problem
    assert "(from the environment): " in problem
    assert accepted in problem


def test_all_problems_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wrong variable stands in the one report."""
    for name, value, _ in WRONG:
        monkeypatch.setenv(name, value)
    found = problems()

    assert sorted(name for name, _, _ in WRONG) == sorted(problem.split(" ")[0] for problem in found)


def test_fields_and_allocation_at_once() -> None:
    """A wrong field does not hide a wrong allocation: both stand in the one report."""
    found = problems(LOG_LEVEL="loud", REDIS_DB_USER=15, REDIS_DB_GENAI=14)

    assert {"LOG_LEVEL", "REDIS_DB_USER", "REDIS_DB_SUBSCRIPTION"} == {problem.split(" ")[0] for problem in found}


def test_json_problem_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of a service's own that is not JSON is one problem among the others."""

    class OwnSettings(CommonSettings):
        OWN_NUMBERS: list[int] = Field(default_factory=list)

    monkeypatch.setenv("OWN_NUMBERS", "[1,")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    found = problems(OwnSettings)

    assert any("OWN_NUMBERS" in problem for problem in found)
    assert any("LOG_LEVEL" in problem for problem in found)


def test_origin_argument() -> None:
    """A wrong argument is called an argument."""
    assert "(from an argument)" in problems(REDIS_PORT=0)[0]


def test_origin_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that came under an older name says so."""
    monkeypatch.setenv("REDIS_DB_DSL_BYTECODE", "99")

    assert "REDIS_DB_DSL = '99' (from REDIS_DB_DSL_BYTECODE in the environment)" in problems()[0]


def test_origin_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable in lower case is still the environment's."""
    monkeypatch.setenv("redis_port", "0")

    assert "(from the environment)" in problems()[0]


def test_origin_dotenv(directory: Path) -> None:
    """A value of the `.env` file says so."""
    (directory / ".env").write_text("REDIS_PORT=0\n")

    assert "(from .env)" in problems()[0]


def test_unreadable_dotenv(directory: Path) -> None:
    """A `.env` that is not UTF-8 is a problem of the one report, and nothing of it is shown."""
    (directory / ".env").write_bytes(b"REDIS_PASSWORD=hunter2\nREDIS_HOST=\xe4\n")

    assert problems() == (".env cannot be read: it is not UTF-8",)


def test_message_is_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a check of ours says stands there as it is."""
    monkeypatch.setenv("GATEWAY_TRUST", "everyone")

    assert problems()[0].endswith(
        "(from the environment): Input should be auto, network, none, or a list of jwt, hmac, secret, mtls, cidr"
    )


def test_origin_other_dotenv(directory: Path) -> None:
    """A value of another file that the caller chose names that file."""
    (directory / "other.env").write_text("REDIS_PORT=0\n")

    assert "other.env" in problems(_env_file="other.env")[0]


def test_origin_secrets_directory(directory: Path) -> None:
    """A value of the secrets directory names the directory."""
    (directory / "secrets").mkdir()
    (directory / "secrets" / "redis_port").write_text("0\n")

    assert f"(from {directory / 'secrets'})" in problems()[0]


class SignedSettings(CommonSettings):
    OWN_KEY: Annotated[SecretStr, Field(min_length=32)] = SecretStr("0" * 32)


def test_origin_named_file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that came by `_FILE` names that variable, and is masked."""
    (directory / "key").write_text(SECRET)
    monkeypatch.setenv("OWN_KEY_FILE", str(directory / "key"))
    (problem,) = problems(SignedSettings)

    assert "OWN_KEY = ***" in problem
    assert "OWN_KEY_FILE" in problem


def test_secret_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report never shows a secret."""
    monkeypatch.setenv("OWN_KEY", SECRET)
    (problem,) = problems(SignedSettings)

    assert problem.startswith("OWN_KEY = *** (from the environment)")
    assert SECRET not in problem


def test_model_validator_leaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule over several fields that fails says its sentence, not the values of all fields."""

    class RuledSettings(CommonSettings):
        @model_validator(mode="after")
        def refuse(self) -> "RuledSettings":
            raise ValueError("one of A and B is needed")

    monkeypatch.setenv("MONGODB_PASSWORD", SECRET)
    (problem,) = problems(RuledSettings)

    assert "one of A and B is needed" in problem
    assert SECRET not in problem


class Account(BaseModel):
    name: str
    key: SecretStr


class NestedSettings(CommonSettings):
    OWN_KEYS: tuple[SecretStr, ...] | None = None
    OWN_BYTES: Annotated[SecretBytes, Field(min_length=32)] = SecretBytes(b"0" * 32)
    OWN_ACCOUNT: Account | None = None


NESTED = [
    ("OWN_KEYS", f'{{"a": "{SECRET}"}}'),
    ("OWN_BYTES", SECRET),
    ("OWN_ACCOUNT", f'["{SECRET}"]'),
]


@pytest.mark.parametrize(("name", "value"), NESTED, ids=[row[0] for row in NESTED])
def test_nested_secret_is_masked(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret inside of a list, an optional, a model or bytes is a secret too."""
    monkeypatch.setenv(name, value)

    assert SECRET not in "".join(problems(NestedSettings))


def test_error_chain_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback of the report has no second exception that shows the values."""
    monkeypatch.setenv("OWN_KEY", SECRET)
    with pytest.raises(SettingsError, match="1 problem") as caught:
        SignedSettings()

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


UNREADABLE = [("missing", "No such file"), ("folder", "Is a directory"), ("binary", "decode"), ("endless", "bytes")]


@pytest.mark.parametrize(("name", "reason"), UNREADABLE, ids=[row[0] for row in UNREADABLE])
def test_unreadable_file(name: str, reason: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret's file that cannot be read is a problem with the variable, the path and the reason."""
    (directory / "folder").mkdir()
    (directory / "binary").write_bytes(b"\xff\xfe\xfd")
    (directory / "endless").symlink_to("/dev/zero")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(directory / name))
    monkeypatch.setenv("LOG_LEVEL", "loud")
    found = problems()

    assert len(found) == 2
    (problem,) = [problem for problem in found if "REDIS_PASSWORD" in problem]
    assert "REDIS_PASSWORD_FILE" in problem
    assert str(directory / name) in problem
    assert reason in problem


@pytest.mark.parametrize(
    ("values", "name", "words"),
    [
        ({"REDIS_DB_GRPC": 0}, "REDIS_DB_GRPC", "already REDIS_DB_USER"),
        ({"REDIS_DB_USER": 3}, "REDIS_DB_SESSION", "already REDIS_DB_USER"),
        ({"REDIS_DB_USER": 15}, "REDIS_DB_USER", "database 15 is reserved"),
        ({"REDIS_DB_RESERVED": 14}, "REDIS_DB_RESERVED", "already REDIS_DB_SUBSCRIPTION"),
    ],
    ids=["duplicate", "taken", "reserved", "reserved moved"],
)
def test_allocation(values: dict[str, Any], name: str, words: str) -> None:
    """A database has one purpose, and 15 has none."""
    found = problems(**values)

    assert any(problem.startswith(f"{name} = ") and words in problem for problem in found)


def test_wording() -> None:
    """The report counts its problems and puts each on a line of its own."""
    with pytest.raises(
        SettingsError, match=r"^Settings cannot be used, 1 problem:\n  - REDIS_PORT = 0 \(from"
    ) as caught:
        CommonSettings(REDIS_PORT=0)

    assert isinstance(caught.value, ValueError)
    assert caught.value.reason == "SETTINGS_INVALID"


def test_long_value_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long value stands in the report with its beginning only."""
    monkeypatch.setenv("REDIS_PORT", "9" * 1000)

    assert len(problems()[0]) < 300
