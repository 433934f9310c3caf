"""What the platform consists of: the stack file `mysingle.toml`, or the service in a folder."""

import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mysingle.tooling.devplatform._table import Table
from mysingle.tooling.devplatform.errors import PlatformError

__all__ = ["STACK_FILE", "Service", "Stack", "read_stack", "single_service"]

STACK_FILE = "mysingle.toml"
DEFAULT_APP = "app.main:app"

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_NAME_FORM = "a service has the name that its code gives it: lower-case letters, digits and hyphens"
_APP = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_ENVIRONMENTS = (".venv", "venv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """
    A service of the platform.

    `name` is its `service_name`, by which the others find it. A port of None is any that is free. `paths` are routed
    by the gateway and need a token, `public_paths` need none. `is_iam` marks the one that issues the tokens.
    `worker` is its Celery app, when it has background tasks.
    """

    name: str
    folder: Path
    app: str = DEFAULT_APP
    port: int | None = None
    grpc_port: int | None = None
    python: Path = Path(sys.executable)
    env: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    public_paths: tuple[str, ...] = ()
    is_iam: bool = False
    worker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The services, the variables that all of them get, and the gateway: whether it is asked for, and its port."""

    services: tuple[Service, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    wants_gateway: bool = False
    gateway_port: int | None = None
    file: Path | None = None

    def only(self, names: Sequence[str]) -> "Stack":
        """
        Return the same with these services alone; all of them when no name is given.

        Raises:
            PlatformError: one of them is not here.
        """
        known = [service.name for service in self.services]
        for name in names:
            if name not in known:
                raise PlatformError(f"there is no service {name!r}; there are {', '.join(known)}")
        chosen = tuple(service for service in self.services if not names or service.name in names)
        return replace(self, services=chosen)


def read_stack(file: Path) -> Stack:
    """
    Read a stack file; folders in it begin where it lies.

    Raises:
        StackFileError: it cannot be used; the message names the place and what would be accepted.
    """
    top = Table.read(file)
    top.allow("env", "gateway", "services")
    gateway = top.table("gateway")
    gateway.allow("port")
    services = tuple(_service(file, name, table) for name, table in top.table("services").tables().items())
    if not services:
        raise top.error("services", "there is no service; give at least one, as [services.order-service]")
    if sum(service.is_iam for service in services) > 1:
        raise top.error("services", "only one service can be the one with iam = true")
    return Stack(
        services=services,
        env=top.table("env").variables(),
        wants_gateway="gateway" in top,
        gateway_port=gateway.port("port"),
        file=file,
    )


def single_service(folder: Path, app: str | None = None, port: int | None = None) -> Stack:
    """
    Return a stack of the service in a folder; it has the name of the project there, else that of the folder.

    Raises:
        PlatformError: there is none.
    """
    if app is not None and not _APP.fullmatch(app):
        raise PlatformError(f"{app!r} is no app; give package.module:name, for example {DEFAULT_APP}")
    if app is None and not (folder / "app" / "main.py").is_file():
        raise PlatformError(
            f"there is neither a {STACK_FILE} nor an app/main.py in {folder.resolve()}; "
            "go to the folder of a service, name its app as package.module:name, or list services in the file"
        )
    folder = folder.resolve()
    name = _project_name(folder) or re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-0123456789")[:60]
    service = Service(name=name or "service", folder=folder, app=app or DEFAULT_APP, port=port, python=_python(folder))
    return Stack(services=(service,))


def _service(file: Path, name: str, table: Table) -> Service:
    table.allow("folder", "app", "port", "grpc_port", "python", "env", "paths", "public_paths", "iam", "worker")
    if not _NAME.fullmatch(name):
        raise table.error("", _NAME_FORM)
    folder = (file.parent / Path(table.text("folder", name)).expanduser()).resolve()
    if not folder.is_dir():
        raise table.error("folder", f"{folder} is no folder")
    app = table.text("app", DEFAULT_APP)
    if not _APP.fullmatch(app):
        raise table.error("app", f"{app!r} is no app; give package.module:name, for example {DEFAULT_APP}")
    worker = table.text("worker", "")
    if worker and not _APP.fullmatch(worker):
        raise table.error("worker", f"{worker!r} is no Celery app; give package.module:name, as app.tasks:celery")
    return Service(
        name=name,
        folder=folder,
        app=app,
        port=table.port("port"),
        grpc_port=table.port("grpc_port"),
        python=_given_python(folder, table) if "python" in table else _python(folder),
        env=table.table("env").variables(),
        paths=table.texts("paths"),
        public_paths=table.texts("public_paths"),
        is_iam=table.flag("iam"),
        worker=worker or None,
    )


def _given_python(folder: Path, table: Table) -> Path:
    """Return an interpreter, named itself or by its environment."""
    given = folder / Path(table.text("python", "")).expanduser()
    found = given / "bin" / "python" if given.is_dir() else given
    if not found.is_file():
        raise table.error("python", f"{found} is no interpreter; give its path, or the folder of an environment")
    return found


def _python(folder: Path) -> Path:
    """Return the interpreter of the environment in a folder, else ours."""
    candidates = (folder / name / "bin" / "python" for name in _ENVIRONMENTS)
    return next((python for python in candidates if python.is_file()), Path(sys.executable))


def _project_name(folder: Path) -> str | None:
    try:
        document = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it is for a name only; who needs the file says what is wrong with it
        return None
    project = document.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else None
