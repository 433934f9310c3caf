"""What will be started: decided before anything runs."""

import os
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests.tooling.devplatform.conftest import free_port

from mysingle.tooling.devplatform import PlatformError, Service, Stack, make_plan

FOLDER = Path("/services")
ORDERS = Service(name="order-service", folder=FOLDER, paths=("/orders",))
PRICES = Service(name="price-service", folder=FOLDER, public_paths=("/prices",))
IAM = Service(name="iam-service", folder=FOLDER, is_iam=True, public_paths=("/api/*",))


def stack(*services: Service, wants_gateway: bool = False) -> Stack:
    return Stack(services=services, wants_gateway=wants_gateway)


def test_ports() -> None:
    """A service has the port that it asks for; others get free ones, and nobody gets one twice."""
    wanted = free_port()
    plan = make_plan(stack(replace(ORDERS, port=wanted), PRICES, IAM), {})
    ports = [port for service in plan.services for port in (service.port, service.grpc_port)]

    assert plan.services[0].port == wanted
    assert plan.services[0].command[-2:] == ("--port", str(wanted))
    assert len({*ports, plan.gateway and plan.gateway.port}) == 7


def test_port_twice() -> None:
    """Two services that ask for one port are told which they are."""
    port = free_port()
    with pytest.raises(PlatformError, match=f"port of price-service is {port}, as port of order-service"):
        make_plan(stack(replace(ORDERS, port=port), replace(PRICES, port=port)), {})


@pytest.mark.parametrize("member", ["port", "grpc_port"])
def test_port_taken(member: str) -> None:
    """A port that somebody has is an error that says who wants it, who has it, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PlatformError) as caught:
            make_plan(stack(replace(ORDERS, **{member: port})), {})

    owner = f"process {os.getpid()}" if Path("/proc/net/tcp").exists() else "another process"
    assert f"{member} of order-service is {port}, and there listens {owner}" in str(caught.value)
    assert "choose another port" in str(caught.value)


def test_neighbours() -> None:
    """Services find each other over gRPC; a neighbour that the environment has elsewhere stays there."""
    orders, prices = make_plan(stack(ORDERS, PRICES), {"PRICE_SERVICE_GRPC_HOST": "staging:1"}).services

    assert prices.environment["ORDER_SERVICE_GRPC_HOST"] == f"127.0.0.1:{orders.grpc_port}"
    assert "PRICE_SERVICE_GRPC_HOST" not in orders.environment
    assert orders.environment["GRPC_SERVER_PORT"] == str(orders.grpc_port)


def test_identity() -> None:
    """With a service that issues tokens, gateway and services share a proof, and only that service has its secret."""
    plan = make_plan(stack(ORDERS, IAM), {})
    orders, iam = (service.environment for service in plan.services)

    assert plan.gateway is not None
    assert not plan.gateway.is_open
    assert orders["GATEWAY_HMAC_KEYS"] == plan.gateway.environment["GATEWAY_HMAC_KEY"]
    assert {orders["IAM_ISSUER"], iam["PUBLIC_BASE_URL"]} == {plan.gateway.url}
    assert len(iam["AUTH_SECRET_KEY"]) >= 32
    assert "AUTH_SECRET_KEY" not in orders


def test_given_secret() -> None:
    """A secret of the accounts that the environment has is not replaced."""
    (iam,) = make_plan(stack(IAM), {"AUTH_SECRET_KEY_FILE": "/run/secrets/it"}).services

    assert "AUTH_SECRET_KEY" not in iam.environment


def test_secret_is_kept_with_the_data(tmp_path: Path) -> None:
    """The secret of the accounts is as old as their data, and nobody else can read it; a dry run writes nothing."""
    data = tmp_path / "data"
    make_plan(stack(IAM), {}, data_dir=data, is_dry=True)
    assert not data.exists()

    first, second = (make_plan(stack(IAM), {}, data_dir=data).services[0].environment for _ in range(2))

    assert first["AUTH_SECRET_KEY"] == second["AUTH_SECRET_KEY"]
    assert stat.S_IMODE((data / "auth_secret_key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("made", "has_gateway", "note"),
    [
        (stack(ORDERS), False, ""),
        (stack(ORDERS, wants_gateway=True), True, "lets everybody in as nobody"),
        (stack(ORDERS, PRICES), True, "lets everybody in as nobody"),
        (stack(ORDERS, IAM), True, ""),
        (stack(replace(ORDERS, paths=()), replace(PRICES, public_paths=())), False, "no service has paths"),
    ],
    ids=["one", "one-asked-for", "two", "with-iam", "nothing-to-route"],
)
def test_whether_there_is_a_gateway(made: Stack, has_gateway: bool, note: str) -> None:
    """Several services, or one that asks for it, get a gateway when there is something to route; otherwise a note."""
    plan = make_plan(made, {})

    assert (plan.gateway is not None, note in plan.note, bool(plan.note)) == (has_gateway, True, bool(note))
    assert make_plan(made, {}, gateway=False).gateway is None


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ((ORDERS, replace(PRICES, public_paths=("prices",))), r"services\.price-service\.public_paths\[0\]"),
        ((ORDERS, IAM, replace(PRICES, paths=("/orders",))), r"'/orders' stands in this file twice"),
        ((PRICES, replace(ORDERS, paths=("/",))), r"services\.order-service\.paths: '/' needs a token"),
    ],
)
def test_paths_that_do_not_fit(services: tuple[Service, ...], said: str) -> None:
    """Paths that cannot be routed are refused before anything starts, in the words of the stack file."""
    with pytest.raises(PlatformError, match=said) as caught:
        make_plan(stack(*services), {})

    assert "gateway.json" not in str(caught.value)


def test_servers_of_others() -> None:
    """A data server that the environment or the stack file names is known by its variable."""
    plan = make_plan(replace(stack(ORDERS), env={"REDIS_HOST": "cache"}), {"MONGODB_URL": "mongodb://u:p@db"})

    assert (plan.mongo_variable, plan.redis_variable) == ("MONGODB_URL", "REDIS_HOST")
