"""What runs in the demo: the servers, four services, and the gateway in front of them."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from examples.demo.caller import Caller
from examples.demo.mailbox import Mailbox
from examples.demo.process import Service, free_port
from examples.demo.terminal import progress

from mysingle.core.config import settings
from mysingle.embedded import EmbeddedEnvoy, EmbeddedMongo, EmbeddedRedis, EmbeddedStack
from mysingle.tooling.gateway import gateway_config

DATA = Path(".mysingle")


@dataclass(frozen=True, slots=True)
class World:
    """Where things are. `gateway_key` is what the gateway and the services share."""

    gateway: EmbeddedEnvoy
    iam: Service
    strategies: Service
    market_data: tuple[Service, Service]
    """Two instances of one service."""
    market_data_ports: tuple[int, int]
    """Where they answer over gRPC."""
    servers: tuple[EmbeddedRedis | EmbeddedMongo, ...]
    """The servers that this demo has started itself."""
    mailbox: Mailbox
    gateway_key: bytes
    front: Caller
    """Comes through the gateway, as users do."""
    back: Caller
    """Reaches the strategy service directly, as a process inside the network could."""


@contextmanager
def running_world() -> Iterator[World]:
    with ExitStack() as running:
        with progress("MongoDB and Redis") as notes:
            stack = running.enter_context(EmbeddedStack(DATA, environ=os.environ))
            notes.append("SecantusDB, valkey-server" if stack.mongo and stack.redis else "as the environment says")
            _forget_attempts(stack)
            servers = tuple(server for server in (stack.redis, stack.mongo) if server)
        with progress("mail server") as notes:
            mailbox = running.enter_context(Mailbox(free_port(2525)))
            notes.append(f"smtp://127.0.0.1:{mailbox.port}")
        key, port = secrets.token_urlsafe(48), free_port(8080)
        url = f"http://127.0.0.1:{port}"
        rpc_ports = (free_port(50051), free_port(50052))
        with progress("four services") as notes:
            common = {"ENVIRONMENT": "development", "IAM_ISSUER": url, "PUBLIC_BASE_URL": url, **stack.environment}
            iam = _service("iam_service", 8001, common | _mail(mailbox) | {"AUTH_SECRET_KEY": _kept_secret()})
            patience = {
                "MARKET_DATA_SERVICE_GRPC_HOST": ",".join(f"127.0.0.1:{number}" for number in rpc_ports),
                "GRPC_DEFAULT_TIMEOUT_SECONDS": "1",
                "MONGODB_SERVER_SELECTION_TIMEOUT_MS": "1000",
                "MONGODB_TIMEOUT_MS": "1500",
            }
            strategies = _service(
                "strategy_service",
                8000,
                common | patience | {"GATEWAY_HMAC_KEYS": key, "AUTH_REVOCATION_CHECK": "redis"},
            )
            market_data = (_market_data(1, rpc_ports[0], common), _market_data(2, rpc_ports[1], common))
            services = (iam, strategies, *market_data)
            for service in services:
                running.enter_context(service)
            for service in services:
                service.wait_until_ready()
            notes.append(", ".join(f":{service.port}" for service in services))
        with progress("Envoy, the gateway") as notes:
            config = gateway_config(_gateway_file(url, port, iam, strategies), "envoy")
            gateway = EmbeddedEnvoy(config, environ={"GATEWAY_HMAC_KEY": key}, port=port)
            running.enter_context(gateway)
            notes.append(gateway.url)
        front, back = running.enter_context(Caller(gateway.url)), running.enter_context(Caller(strategies.url))
        yield World(gateway, iam, strategies, market_data, rpc_ports, servers, mailbox, key.encode(), front, back)


def _forget_attempts(stack: EmbeddedStack) -> None:
    """Let the demo run as often as anybody likes: twenty registrations an hour from one address are the limit."""
    if stack.redis:
        with redis.Redis(host=stack.redis.host, port=stack.redis.port, db=settings.REDIS_DB_RATE_LIMIT) as client:
            client.flushdb()


def _service(name: str, port: int, environment: dict[str, str]) -> Service:
    return Service(name, environment, (DATA / f"{name.replace('_', '-')}.log").absolute(), port)


def _market_data(number: int, rpc_port: int, environment: dict[str, str]) -> Service:
    own = {"GRPC_SERVER_HOST": "127.0.0.1", "GRPC_SERVER_PORT": str(rpc_port), "DRAIN_DELAY_SECONDS": "1"}
    log_file = (DATA / f"market-data-service-{number}.log").absolute()
    return Service("market_data_service", environment | own, log_file, 8001 + number, "market_data.main:app")


def _mail(mailbox: Mailbox) -> dict[str, str]:
    return {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mailbox.port), "SMTP_SECURITY": "none"}


def _kept_secret() -> str:
    """Return the secret of the user service, the same in every run: its accounts are kept too."""
    file = DATA / "auth_secret_key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(48))
    return file.read_text()


def _gateway_file(url: str, port: int, iam: Service, strategies: Service) -> Path:
    """Write the list of services from which the gateway's configuration is rendered."""
    file = DATA / "gateway.json"
    services = [
        {"name": strategies.name, "url": strategies.url, "paths": ["/strategies"]},
        {"name": iam.name, "url": iam.url, "public_paths": ["/api/v1/*", "/.well-known/*"]},
    ]
    document = {
        "issuer": url,
        "jwks_url": f"{iam.url}/.well-known/jwks.json",
        "listen": f"127.0.0.1:{port}",
        "services": services,
    }
    file.write_text(json.dumps(document, indent=2))
    return file
