from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from mysingle.core import ServiceConfig, ServiceType, create_service_config
from mysingle.core.service import ServiceConfigError


@pytest.mark.parametrize("name", ["a", "my-service", "s3", "a" * 63, "a-", "a--b"])
def test_good_names(name: str) -> None:
    """A name of lower-case letters, digits and hyphens that begins with a letter is accepted as it is."""
    assert create_service_config(name).service_name == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "My-Service", "1service", "-service", "my_service", "my service", "my.service", "é", "a" * 64, "a\n"],
)
def test_bad_names(name: str) -> None:
    """Any other name is refused with a message that shows the name, the rule and an example."""
    with pytest.raises(ValueError, match=r"lower-case letters, digits and hyphens.*'my-service'") as caught:
        create_service_config(name)

    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "database"),
    [("strategy", "strategy_db"), ("my-service", "my_service_db"), ("a-b-c", "a_b_c_db")],
)
def test_database_name_follows_the_service(name: str, database: str) -> None:
    """Without a database name it is the service's, with `_` for `-` and `_db` behind it."""
    assert create_service_config(name).database_name == database


def test_database_name_as_given() -> None:
    """A database name that is given stays as it is."""
    assert create_service_config("my-service", database_name="Legacy").database_name == "Legacy"


def test_defaults() -> None:
    """A name alone gives the defaults of the contract."""
    config = create_service_config("my-service")

    expected = {
        "service_type": ServiceType.NON_IAM_SERVICE,
        "service_version": "1.0.0",
        "description": "",
        "enable_database": True,
        "enable_audit_logging": None,
        "enable_metrics": True,
        "enable_health_check": True,
        "public_paths": (),
        "cors_origins": None,
        "lifespan": None,
        "grpc_server": None,
        "critical_checks": (),
        "drain_delay_seconds": None,
    }
    assert {name: getattr(config, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("service_type", "flags"),
    [
        pytest.param(ServiceType.IAM_SERVICE, (False, True, True, True), id="iam"),
        pytest.param(ServiceType.NON_IAM_SERVICE, (True, True, False, False), id="non-iam"),
        pytest.param("iam_service", (False, True, True, True), id="iam-as-text"),
        pytest.param("non_iam_service", (True, True, False, False), id="non-iam-as-text"),
    ],
)
def test_flags_follow_the_type(service_type: Any, flags: tuple[bool, ...]) -> None:
    """The type alone decides where identity comes from and who owns the users."""
    config = create_service_config("my-service", service_type)

    assert (
        config.is_gateway_downstream,
        config.enable_auth,
        config.enable_oauth,
        config.enable_user_management,
    ) == flags


def test_unknown_type() -> None:
    """A type that does not exist is refused by name."""
    with pytest.raises(ValueError, match="'batch' is not a valid ServiceType"):
        create_service_config("my-service", "batch")  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize("field", ["service_name", "service_type", "public_paths", "anything"])
def test_frozen(field: str) -> None:
    """A configuration cannot be changed after it is made."""
    config = create_service_config("my-service")

    with pytest.raises((FrozenInstanceError, AttributeError, TypeError), match=r"assign|attribute|super"):
        setattr(config, field, "other")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param(["/a", "/b/*"], ("/a", "/b/*"), id="list"),
        pytest.param(None, (), id="none"),
        pytest.param(iter(["/a"]), ("/a",), id="iterator"),
    ],
)
def test_public_paths(given: Any, kept: tuple[str, ...]) -> None:
    """Public paths are kept as a tuple, whatever iterable they came in."""
    assert create_service_config("my-service", public_paths=given).public_paths == kept


@pytest.mark.parametrize("path", ["docs", "", "/*", "*", "/a/*/b", "/a*"])
def test_bad_public_paths(path: str) -> None:
    """A path without a leading slash, that opens the whole service, or whose star opens nothing, is refused."""
    with pytest.raises(ValueError, match="public path"):
        create_service_config("my-service", public_paths=["/fine", path])


@pytest.mark.parametrize("seconds", [0, 0.5, 30, None])
def test_drain_delay(seconds: float | None) -> None:
    """A drain delay of zero or more is kept; None leaves it to the settings."""
    assert create_service_config("my-service", drain_delay_seconds=seconds).drain_delay_seconds == seconds


def test_negative_drain_delay() -> None:
    """A negative drain delay is refused with its value."""
    with pytest.raises(ValueError, match=r"drain_delay_seconds -1 must not be negative"):
        create_service_config("my-service", drain_delay_seconds=-1)


def test_critical_checks_by_name() -> None:
    """Names of critical checks add no checks of their own."""
    config = create_service_config("my-service", critical_checks=["mongodb", "redis"])

    assert (config.critical_checks, config.extra_checks) == (("mongodb", "redis"), ())


def test_critical_checks_as_mapping() -> None:
    """A mapping names the critical checks and brings them along."""

    async def licence() -> bool:
        return True

    config = create_service_config("my-service", critical_checks={"licence": licence})

    assert (config.critical_checks, config.extra_checks) == (("licence",), (("licence", licence),))


def test_options_are_keywords() -> None:
    """Everything behind the description is passed by keyword, so that the order can never be confused."""
    with pytest.raises(TypeError, match="positional"):
        create_service_config("a", ServiceType.IAM_SERVICE, "1.0.0", "text", False)  # type: ignore[misc]  # wrong


def test_type_is_public() -> None:
    """The configuration's type can be imported from the façade, for annotations."""
    assert isinstance(create_service_config("my-service"), ServiceConfig)


BAD_ARGUMENTS = [
    ("critical checks as text", {"critical_checks": "mongodb"}),
    ("origins as text", {"cors_origins": "https://a.example"}),
    ("paths as text", {"public_paths": "/a"}),
    ("delay without end", {"drain_delay_seconds": float("inf")}),
    ("delay that is no number", {"drain_delay_seconds": float("nan")}),
    ("delay that is a word", {"drain_delay_seconds": "soon"}),
    ("lifespan that cannot be called", {"lifespan": "main"}),
    ("version that is no text", {"service_version": None}),
    ("database name", {"database_name": "a b/$"}),
]


@pytest.mark.parametrize("arguments", [row[1] for row in BAD_ARGUMENTS], ids=[row[0] for row in BAD_ARGUMENTS])
def test_bad_arguments(arguments: dict[str, Any]) -> None:
    """An argument that cannot be meant is one clear error that names it."""
    (name,) = arguments
    with pytest.raises(ServiceConfigError, match=name.replace("public_paths", "public_paths|public path")):
        create_service_config("my-service", **arguments)
