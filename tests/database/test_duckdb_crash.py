import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mysingle.database import BaseDuckDBManager

WRITER = """
import sys
from mysingle.database import BaseDuckDBManager

class Orders(BaseDuckDBManager):
    def create_schema(self):
        self.execute("CREATE TABLE IF NOT EXISTS orders (batch INTEGER, line INTEGER, PRIMARY KEY (batch, line))")

with Orders(sys.argv[1]) as orders:
    (first,) = orders.fetch_one("SELECT coalesce(max(batch), -1) + 1 FROM orders")
    print("open", flush=True)
    for batch in range(first, first + 1_000_000):
        with orders.transaction() as cursor:
            for line in range(5):
                cursor.execute("INSERT INTO orders VALUES (?, ?)", [batch, line])
        print(batch, flush=True)
        if batch % 50 == 49:
            orders.execute("CHECKPOINT")
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_while_writing(tmp_path: Path, seed: int) -> None:
    """
    SIGKILL in the middle of writing, again and again, on one file.

    All that was acknowledged is there each time, no transaction is there in part, and the next process goes on.
    """
    path = tmp_path / "orders.duckdb"
    acknowledged: list[int] = []
    choose = random.Random(seed)
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "open\n"
            time.sleep(choose.uniform(0.02, 0.4))
            writer.kill()
            acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
        with BaseDuckDBManager(path, read_only=True) as reader:
            lines = dict(reader.fetch_all("SELECT batch, count(*) FROM orders GROUP BY batch"))

        assert set(acknowledged) <= set(lines)
        assert set(lines.values()) <= {5}
        assert len(lines) <= len(acknowledged) + 5  # one batch for each kill may be there without its acknowledgement
    assert len(acknowledged) > 10
