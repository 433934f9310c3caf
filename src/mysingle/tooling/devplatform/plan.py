"""What will be started: ports, variables and commands, all decided before anything runs."""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mysingle.tooling.devplatform._gateway import HMAC_VARIABLE, envoy_config, routes
from mysingle.tooling.devplatform._ports import HOST, Ports
from mysingle.tooling.devplatform.errors import PlatformError
from mysingle.tooling.devplatform.stack import Service, Stack

__all__ = ["GatewayPlan", "Plan", "ServicePlan", "make_plan"]

_HTTP_PORT, _GRPC_PORT, _GATEWAY_PORT = 8000, 50051, 8080
_SECRET_FILE = "auth_secret_key"  # noqa: S105  # the name of a file
_MONGO_VARIABLES = ("MONGODB_URL", "MONGODB_URL_FILE", "MONGODB_SERVER", "MONGODB_SERVER_FILE")
_REDIS_VARIABLES = ("REDIS_HOST", "REDIS_HOST_FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """How a service is started; `environment` is what it gets beside the variables of the data servers."""

    name: str
    folder: Path
    python: Path
    app: str
    port: int
    grpc_port: int
    environment: Mapping[str, str]
    worker: str | None = None

    @property
    def worker_name(self) -> str:
        """What its worker is called in the log."""
        return f"{self.name}-worker"

    @property
    def worker_command(self) -> tuple[str, ...]:
        """What runs its background tasks."""
        assert self.worker is not None, "who asks for the command has asked for the worker"
        return (str(self.python), "-m", "mysingle", "worker", self.worker, "--concurrency", "1")

    @property
    def url(self) -> str:
        """Where it answers over HTTP."""
        return f"http://{HOST}:{self.port}"

    @property
    def command(self) -> tuple[str, ...]:
        """What runs it."""
        return (str(self.python), "-m", "mysingle", "run", self.app, "--host", HOST, "--port", str(self.port))


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """How Envoy is started: its configuration, its own variables, and what it routes, in words."""

    port: int
    config: Mapping[str, Any]
    environment: Mapping[str, str]
    routes: tuple[str, ...]
    is_open: bool

    @property
    def url(self) -> str:
        """Where clients call."""
        return f"http://{HOST}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it. `environment` holds the variables of this process and of the stack file; `note` is for people."""

    services: tuple[ServicePlan, ...]
    gateway: GatewayPlan | None
    environment: Mapping[str, str]
    data_dir: Path | None
    note: str

    @property
    def mongo_variable(self) -> str | None:
        """The variable that names a MongoDB already, if there is one."""
        return next((name for name in _MONGO_VARIABLES if self.environment.get(name)), None)

    @property
    def redis_variable(self) -> str | None:
        """The variable that names a Redis already, if there is one."""
        return next((name for name in _REDIS_VARIABLES if self.environment.get(name)), None)


def make_plan(
    stack: Stack,
    environ: Mapping[str, str] | None = None,
    *,
    gateway: bool = True,
    data_dir: Path | None = None,
    is_dry: bool = False,
) -> Plan:
    """
    Decide what to start; nothing is started.

    Args:
        stack: the services.
        environ: variables, those of this process by default; those of the stack count more.
        gateway: whether Envoy is wanted, when the stack has something to route.
        data_dir: where data stay; None keeps them in memory.
        is_dry: whether it is for showing only, so that nothing is written either.

    Raises:
        PlatformError: a port is taken, or the paths do not fit.
    """
    environ = os.environ if environ is None else environ
    where = str(stack.file or "the services")
    taken = Ports(where)
    ports = taken.give("port", {service.name: service.port for service in stack.services}, _HTTP_PORT)
    grpc_ports = taken.give("grpc_port", {service.name: service.grpc_port for service in stack.services}, _GRPC_PORT)
    reason = _no_gateway(stack) if gateway else ""
    front = _gateway_plan(stack, ports, taken, where) if gateway and reason is None else None
    environment = {**environ, **stack.env}
    common = {"ENVIRONMENT": "development", **_identity(stack.services, ports, front)}
    secret = _secret(environment, data_dir, is_dry=is_dry) if any(service.is_iam for service in stack.services) else {}
    services = tuple(
        ServicePlan(
            name=service.name,
            folder=service.folder,
            python=service.python,
            app=service.app,
            port=ports[service.name],
            grpc_port=grpc_ports[service.name],
            environment={
                **common,
                **(secret if service.is_iam else {}),
                **_grpc(service.name, grpc_ports, environ),
                **stack.env,
                **service.env,
            },
            worker=service.worker,
        )
        for service in stack.services
    )
    return Plan(
        services=services, gateway=front, environment=environment, data_dir=data_dir, note=reason or _openness(front)
    )


def _no_gateway(stack: Stack) -> str | None:
    """Say why there is no gateway; None when there is one, and nothing when nobody would expect it."""
    if not stack.wants_gateway and len(stack.services) < 2:
        return ""
    if any(service.paths or service.public_paths for service in stack.services):
        return None
    return "there is no gateway, because no service has paths or public_paths"


def _openness(front: GatewayPlan | None) -> str:
    if front is None or not front.is_open:
        return ""
    return (
        "the gateway lets everybody in as nobody, because no service issues tokens: mark the one that does, iam = true"
    )


def _gateway_plan(stack: Stack, ports: Mapping[str, int], taken: Ports, where: str) -> GatewayPlan:
    port = taken.give("port", {"gateway": stack.gateway_port}, _GATEWAY_PORT)["gateway"]
    is_open = not any(service.is_iam for service in stack.services)
    return GatewayPlan(
        port=port,
        config=envoy_config(stack.services, ports, port, where),
        environment={} if is_open else {HMAC_VARIABLE: secrets.token_urlsafe(48)},
        routes=routes(stack.services),
        is_open=is_open,
    )


def _identity(services: Sequence[Service], ports: Mapping[str, int], front: GatewayPlan | None) -> dict[str, str]:
    """Return the variables by which the gateway, the issuer of tokens and the services believe each other."""
    issuer = next((service.name for service in services if service.is_iam), None)
    if issuer is None:
        return {}
    url = front.url if front else f"http://{HOST}:{ports[issuer]}"
    proof = {"GATEWAY_HMAC_KEYS": front.environment[HMAC_VARIABLE]} if front else {}
    return {"IAM_ISSUER": url, "PUBLIC_BASE_URL": url, **proof}


def _secret(environment: Mapping[str, str], data_dir: Path | None, *, is_dry: bool) -> dict[str, str]:
    """Return the secret of the accounts: given, or kept with the data, so that tokens outlive the platform as they."""
    if environment.get("AUTH_SECRET_KEY") or environment.get("AUTH_SECRET_KEY_FILE"):
        return {}
    file = data_dir and data_dir / _SECRET_FILE
    if file is None or (is_dry and not file.exists()):
        return {"AUTH_SECRET_KEY": secrets.token_urlsafe(48)}
    try:
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(48), encoding="ascii")
        return {"AUTH_SECRET_KEY": file.read_text(encoding="ascii")}
    except (OSError, UnicodeDecodeError) as error:
        raise PlatformError(f"{file} cannot be used: {error}; choose another folder for the data") from error


def _grpc(name: str, ports: Mapping[str, int], environ: Mapping[str, str]) -> dict[str, str]:
    """Return where this service listens and where the others are, unless somebody says that one is elsewhere."""
    others = {
        f"{other.upper().replace('-', '_')}_GRPC_HOST": f"{HOST}:{port}"
        for other, port in ports.items()
        if other != name
    }
    found = {variable: address for variable, address in others.items() if not environ.get(variable)}
    return {"GRPC_SERVER_HOST": HOST, "GRPC_SERVER_PORT": str(ports[name]), **found}
