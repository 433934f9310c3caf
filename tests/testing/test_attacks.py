"""Every attack of the table on a service that stands, each over real connections."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mysingle.testing.attacks import ATTACKS, START_ATTACKS, AttackedService, Case

pytestmark = pytest.mark.xdist_group("attacks")

HERE = Path(__file__).parent
ROWS = [
    *(f"A{number:02}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19, 21, 22, 23, 24, 25)),
    *("A27", "A29", "A31", "A32"),
    *(f"B{number:02}" for number in (2, 3, 4, 5, 6, 7, 9, 10, 11, 13, 14, 15, 18)),
    *("K2", "K4"),
]
"""The attacks of the threat model that a request to a service behind a gateway can be."""

INVENTORY = [
    "closed-DELETE /api/orders",
    "closed-GET /api/orders",
    "closed-GET /api/orders/{order_id}",
    "closed-GET /files/{path}",
    "closed-POST /api/orders",
    "closed-WEBSOCKET /api/orders/live",
    "open-GET /news/{number}",
    "open-GET /terms",
]


@pytest.fixture(scope="module")
def cases() -> Iterator[dict[str, Case]]:
    """Give the attacks on the sound service, by id."""
    with AttackedService("attacked:app", directory=HERE, open_paths=["/news/*", "/terms"]) as service:
        assert service.path == "/api/orders"
        yield {case.id: case for case in service.cases}


def test_table() -> None:
    """There are many attacks, each with an id of its own, and every row of the threat model is among them."""
    ids = [attack.id for attack in (*ATTACKS, *START_ATTACKS)]
    rows = {name.split("-")[0] for name in ids}

    assert len(ids) == len(set(ids))
    assert len(ids) > 500
    assert [row for row in ROWS if row not in rows] == []
    assert [name for name in ids if not re.fullmatch(r"[A-Za-z0-9._-]+", name)] == []


def test_nothing_is_left_out(cases: dict[str, Case]) -> None:
    """A service with everything is attacked with everything, and each of its routes is looked at."""
    known = {attack.id for attack in (*ATTACKS, *START_ATTACKS)}

    assert [case.id for case in cases.values() if case.lacks] == []
    assert sorted(cases.keys() - known) == sorted([*INVENTORY, "control-health"])


@pytest.mark.parametrize("attack", [attack.id for attack in ATTACKS])
def test_attack(attack: str, cases: dict[str, Case]) -> None:
    """The service gives the answer that is right, and lets nobody in who has to stay outside."""
    assert cases[attack].run() is None


@pytest.mark.parametrize("name", [*INVENTORY, "control-health"])
def test_route(name: str, cases: dict[str, Case]) -> None:
    """A route is closed, or open because somebody has said so."""
    assert cases[name].run() is None
