"""Both data servers of a service, and a gateway in front of it, for development, tests and demonstrations."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from mysingle.embedded._home import ignored_directory
from mysingle.embedded._server import EmbeddedServer
from mysingle.embedded.gateway import EmbeddedEnvoy
from mysingle.embedded.mongo import EmbeddedMongo
from mysingle.embedded.redis import EmbeddedRedis

__all__ = ["EmbeddedStack"]

_MONGO_VARIABLES = ("MONGODB_URL", "MONGODB_URL_FILE", "MONGODB_SERVER", "MONGODB_SERVER_FILE")
_REDIS_VARIABLES = ("REDIS_HOST", "REDIS_HOST_FILE")


class EmbeddedStack:
    """
    SecantusDB and valkey-server together; a server that the environment names already is used instead.

    Args:
        data_dir: each server gets a subdirectory; None keeps the data in memory.
        environ: the variables of the service. MONGODB_URL or MONGODB_SERVER means no embedded MongoDB, REDIS_HOST no
            embedded Redis; also as `<NAME>_FILE`. An empty value is none.
        mongo, redis: whether the server is wanted at all.
        gateway: an Envoy that starts and ends with the two.

    Raises:
        MissingExtraError: a server is to be started and the extra is not installed.
    """

    def __init__(
        self,
        data_dir: Path | None = Path(".mysingle"),
        *,
        environ: Mapping[str, str],
        mongo: bool = True,
        redis: bool = True,
        gateway: EmbeddedEnvoy | None = None,
    ) -> None:
        given_mongo = _given(environ, *_MONGO_VARIABLES)
        given_redis = _given(environ, *_REDIS_VARIABLES)
        self._given = given_mongo | given_redis | (_given(environ, "REDIS_PORT") if given_redis else {})
        self._data_dir = data_dir
        self.mongo = EmbeddedMongo(data_dir and data_dir / "mongo") if mongo and not given_mongo else None
        self.gateway = gateway
        self.redis = EmbeddedRedis(data_dir and data_dir / "redis") if redis and not given_redis else None

    @property
    def environment(self) -> dict[str, str]:
        """
        The variables that lead a service to its data; known after the first start, never to be printed.

        MONGODB_URL, REDIS_HOST and REDIS_PORT of the servers started here; those that named another server unchanged.
        """
        variables = dict(self._given)
        if self.mongo:
            variables["MONGODB_URL"] = self.mongo.url
        if self.redis:
            variables |= {"REDIS_HOST": self.redis.host, "REDIS_PORT": str(self.redis.port)}
        return variables

    def start(self) -> Self:
        """
        Start the servers side by side and return when both answer; if one fails, none is left.

        Raises:
            ServerStartError: see `EmbeddedMongo.start`.
        """
        if self._data_dir and (self.mongo or self.redis):
            ignored_directory(self._data_dir)
        try:
            _side_by_side(server.start for server in self._servers)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the servers side by side, within six seconds; return when they are gone."""
        _side_by_side(server.stop for server in self._servers)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _servers(self) -> tuple[EmbeddedServer, ...]:
        return tuple(server for server in (self.mongo, self.redis, self.gateway) if server)


def _given(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: environ[name] for name in names if environ.get(name)}


def _side_by_side(calls: Iterable[Callable[[], object]]) -> None:
    """Run the calls in threads until all have ended, then raise the first error."""
    with ThreadPoolExecutor() as threads:
        pending = [threads.submit(call) for call in calls]
    for call in pending:
        call.result()
