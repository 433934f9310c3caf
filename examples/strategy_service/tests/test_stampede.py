import asyncio

from httpx import AsyncClient

from mysingle.core.metrics import process_metrics

READERS = 500
BODY = {"name": "Momentum", "symbol": "SPY", "source": "result = close > SMA(close, 20)"}


def _database_reads() -> float:
    """Return how many strategies MongoDB was asked for so far, as the service's own metrics say."""
    labels = {
        "db_system_name": "mongodb",
        "db_operation_name": "find",
        "db_collection_name": "strategies",
        "error_type": "",
    }
    name = "db_client_operation_duration_seconds_count"
    return process_metrics().registry.get_sample_value(name, labels) or 0.0


async def test_stampede(alice: AsyncClient) -> None:
    """Five hundred readers of one strategy at the same moment are one read of the database, and all get the same."""
    created = (await alice.post("/strategies", json=BODY)).json()
    before = _database_reads()
    answers = await asyncio.gather(*(alice.get(f"/strategies/{created['id']}") for _ in range(READERS)))

    assert _database_reads() - before == 1
    assert [answer.status_code for answer in answers] == [200] * READERS
    assert all(answer.json() == created for answer in answers)


async def test_strangers_in_the_crowd(alice: AsyncClient, bob: AsyncClient) -> None:
    """A stranger who asks first, or in the middle, takes nothing from the owner: 404 for him, 200 for her."""
    created = (await alice.post("/strategies", json=BODY)).json()
    path = f"/strategies/{created['id']}"
    answers = await asyncio.gather(*(client.get(path) for _ in range(50) for client in (bob, alice)))

    assert [answer.status_code for answer in answers] == [404, 200] * 50
