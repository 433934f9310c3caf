"""The stack file: what it may say, and what is said when it cannot be used."""

import re
import sys
from pathlib import Path

import pytest

from mysingle.tooling.devplatform import PlatformError, StackFileError, read_stack, single_service

WHOLE = """
[env]
LOG_LEVEL = "DEBUG"
RETRIES = 3
VERBOSE = true

[gateway]
port = 9080

[services.iam-service]
folder = "accounts"
app = "iam.main:app"
port = 9001
grpc_port = 9002
iam = true
paths = ["/me"]
public_paths = ["/api/*"]
env = { LOG_LEVEL = "INFO" }

[services.order-service]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with the folders of two services, one of them with an environment of its own."""
    (tmp_path / "accounts").mkdir()
    python = tmp_path / "order-service" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    return tmp_path


def write(folder: Path, text: str) -> Path:
    file = folder / "mysingle.toml"
    file.write_text(text)
    return file


def test_whole(folder: Path) -> None:
    """A stack file says everything about each service; folder, app and interpreter have defaults."""
    stack = read_stack(write(folder, WHOLE))
    iam, order = stack.services

    assert (stack.env, stack.wants_gateway, stack.gateway_port) == (
        {"LOG_LEVEL": "DEBUG", "RETRIES": "3", "VERBOSE": "true"},
        True,
        9080,
    )
    assert (iam.name, iam.folder, iam.app, iam.port, iam.grpc_port, iam.is_iam) == (
        *("iam-service", folder / "accounts", "iam.main:app", 9001, 9002, True),
    )
    assert (iam.paths, iam.public_paths, iam.env, iam.python) == (
        *(("/me",), ("/api/*",), {"LOG_LEVEL": "INFO"}, Path(sys.executable)),
    )
    assert (order.folder, order.app, order.port, order.is_iam) == (
        folder / "order-service",
        "app.main:app",
        None,
        False,
    )
    assert order.python == folder / "order-service" / ".venv" / "bin" / "python"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[services", "mysingle.toml: the file is not TOML"),
        ("", "services: there is no service; give at least one"),
        ("services = 3", "services: this must be a table"),
        ("[services]\naccounts = 3", "services.accounts: this must be a table"),
        ("[service.accounts]", "service: there is no such name here; there are env, gateway, services"),
        ("[services.accounts]\nprot = 1", "services.accounts.prot: there is no such name here"),
        ("[services.accounts]\nport = 70000", "services.accounts.port: 70000 is no port"),
        ("[services.accounts]\nport = true", "services.accounts.port: True is no port"),
        ("[services.accounts]\nport = '8000'", "services.accounts.port: '8000' is no port"),
        ("[services.accounts]\napp = 'app.main'", "'app.main' is no app; give package.module:name"),
        ("[services.accounts]\nfolder = ''", "services.accounts.folder: this must be a text"),
        ("[services.nowhere]", "services.nowhere.folder: .*nowhere is no folder"),
        ("[services.Accounts]\nfolder = 'accounts'", "services.Accounts: a service has the name that its code gives"),
        ("[services.accounts]\npython = 'bin/none'", "services.accounts.python: .*bin/none is no interpreter"),
        ("[services.accounts]\niam = 1", "services.accounts.iam: this must be true or false"),
        ("[services.accounts]\npaths = '/items'", "services.accounts.paths: this must be a list of texts"),
        ("[services.accounts]\nenv = {'A-B' = '1'}", "services.accounts.env.A-B: this is no name of an environment"),
        ("[services.accounts]\nenv = {A = [1]}", "services.accounts.env.A: the value of a variable must be"),
        ("[gateway]\nname = 1\n[services.accounts]", "gateway.name: there is no such name here; there are port"),
        (
            "[services.a]\nfolder = 'accounts'\niam = true\n[services.b]\nfolder = 'accounts'\niam = true",
            "services: only one service can be the one with iam = true",
        ),
    ],
)
def test_refused(folder: Path, text: str, said: str) -> None:
    """What does not fit is refused, with its place and what would be accepted."""
    with pytest.raises(StackFileError, match=said):
        read_stack(write(folder, text))


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "binary"])
def test_unreadable(tmp_path: Path, content: bytes | None) -> None:
    """A file that is not there, or is no text, is one line."""
    file = tmp_path / "mysingle.toml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(StackFileError, match=r"^[^\n]*mysingle\.toml: the file [^\n]*$"):
        read_stack(file)


def test_only(folder: Path) -> None:
    """A choice keeps the order of the file; a name that is not there is refused with those that are."""
    stack = read_stack(write(folder, WHOLE))

    assert [service.name for service in stack.only(["order-service"]).services] == ["order-service"]
    assert stack.only([]) == stack
    with pytest.raises(PlatformError, match=re.escape("no service 'orders'; there are iam-service, order-service")):
        stack.only(["orders"])


@pytest.mark.parametrize(
    ("project", "name"),
    [
        ('[project]\nname = "price-service"', "price-service"),
        ('[project]\nname = "Price Service"', "my-prices"),
        ("no toml", "my-prices"),
        (None, "my-prices"),
    ],
)
def test_service_of_a_folder(tmp_path: Path, project: str | None, name: str) -> None:
    """Without a stack file the service of the folder runs, under the name of its project or of the folder."""
    folder = tmp_path / "My Prices"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "main.py").touch()
    if project is not None:
        (folder / "pyproject.toml").write_text(project)
    (service,) = single_service(folder, port=9000).services

    assert (service.name, service.folder, service.app, service.port) == (name, folder, "app.main:app", 9000)


def test_no_service(tmp_path: Path) -> None:
    """A folder without a service is refused with what can be done; so is a word that names no app."""
    with pytest.raises(PlatformError, match=r"neither a mysingle\.toml nor an app/main\.py in .*; go to the folder"):
        single_service(tmp_path)
    with pytest.raises(PlatformError, match="'main' is no app"):
        single_service(tmp_path, "main")
