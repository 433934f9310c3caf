from collections.abc import Iterator

import pytest

from mysingle.embedded import EmbeddedRedis


@pytest.fixture
def neighbour() -> Iterator[EmbeddedRedis]:
    """Another server of somebody else, in memory."""
    with EmbeddedRedis() as server:
        yield server
