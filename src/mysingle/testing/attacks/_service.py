"""A service under attack: its app in a process of its own, under production rules, with keys that only we have."""

import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mysingle.testing.attacks._job import FACTS, OUTPUT
from mysingle.testing.attacks._wire import Answer, exchange
from mysingle.testing.tokens import TokenSigner

__all__ = ["App", "AttackError", "Keys", "Launcher", "Route", "Server"]

_START_SECONDS = 60.0
_POLL_SECONDS = 0.005
_TAIL = 4_000
_NOWHERE = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=50"


class AttackError(Exception):
    """The attacks cannot begin; the message says why, with what the service has said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What the gateway and the IAM service of the attacked service hold, made anew for each run."""

    hmac: tuple[str, ...]
    secret: str
    signer: TokenSigner
    gateway_address: str = "192.0.2.7"

    @classmethod
    def make(cls) -> Self:
        """Make keys that nobody else has."""
        return cls(
            hmac=(secrets.token_hex(32), secrets.token_hex(32)), secret=secrets.token_hex(32), signer=TokenSigner()
        )

    def environment(self, folder: Path) -> dict[str, str | None]:
        """Return the variables of the attacked service: production rules, every proof, nothing that is real."""
        return {
            "ENVIRONMENT": "production",
            "MYSINGLE_AUTH_BYPASS": "true",
            "MYSINGLE_AUTH_BYPASS_ADMIN": "true",
            "GATEWAY_TRUST": "auto",
            "GATEWAY_HMAC_KEYS": ",".join(self.hmac),
            "GATEWAY_HMAC_MAX_SKEW_SECONDS": "30",
            "GATEWAY_NONCE_CACHE_SIZE": "65536",
            "GATEWAY_SHARED_SECRETS": self.secret,
            "GATEWAY_SECRET_HEADER": "X-Gateway-Secret",
            "GATEWAY_CIDRS": f"{self.gateway_address}/32",
            "GATEWAY_ASSUME_VERIFIED": "true",
            "FORWARDED_ALLOW_IPS": "192.0.2.200",
            "AUTH_ALLOW_HS256": "false",
            "AUTH_REVOCATION_CHECK": "off",
            "PROMETHEUS_MULTIPROC_DIR": None,
            **self.signer.environment(folder / "jwks.json"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One handler of the service: `template` as the route spells it, `path` as an example that leads to it."""

    kind: str
    method: str
    path: str
    template: str


class Server:
    """
    A running server; it ends when it is closed.

    Args:
        folder: of the run, removed at its end.
        mark: what an answer from behind every check carries.
        facts: what the process tells of its app.
    """

    def __init__(self, folder: "tempfile.TemporaryDirectory[str]", mark: str, facts: Mapping[str, Any]) -> None:
        self._folder = folder
        self.mark = mark
        self.address = ("127.0.0.1", int(facts["port"]))
        self.service_name = str(facts["service_name"])
        self.trust = tuple(facts["trust"])
        self.public_paths = tuple(facts["public"])
        self.has_health = bool(facts["has_health"])
        self.routes = tuple(Route(**route) for route in facts["routes"])

    def send(self, request: bytes, at_least: int = 1) -> tuple[Answer, ...]:
        """Send bytes, and return every answer; wait for so many."""
        return exchange(self.address, request, at_least)

    def close(self) -> None:
        """End the server."""
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """
    An app that is to be served.

    Args:
        name: `"package.module:name"`.
        directory: where the app is imported from, and where its `.env` is.
        search_path: where else Python looks for modules.
        keys: what is in the environment of its servers.
        runs_lifespan: whether its lifespan runs; it then opens what the environment names.
    """

    name: str
    directory: Path
    search_path: tuple[str, ...]
    keys: Keys
    runs_lifespan: bool = False


class Launcher:
    """
    Starts servers, each with an environment of its own; all of them end with it.

    One launcher loads the libraries once, so that starting a server takes as long as importing its app.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mysingle.testing.attacks._serve"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )

    def start(
        self, app: App, environment: Mapping[str, str | None] | None = None, *, runs_lifespan: bool | None = None
    ) -> Server:
        """
        Start a server; `environment` changes the variables of the run, and None takes one away.

        Raises:
            AttackError: the app cannot be imported or started, or is none that can be attacked.
        """
        folder = tempfile.TemporaryDirectory(prefix="mysingle-attacks-")
        runs_lifespan = app.runs_lifespan if runs_lifespan is None else runs_lifespan
        try:
            return self._start(app, folder, environment or {}, runs_lifespan)
        except BaseException:
            folder.cleanup()
            raise

    def _start(
        self,
        app: App,
        folder: "tempfile.TemporaryDirectory[str]",
        environment: Mapping[str, str | None],
        runs_lifespan: bool,
    ) -> Server:
        place, mark = Path(folder.name), secrets.token_hex(16)
        away = {} if runs_lifespan else {"MONGODB_URL": _NOWHERE, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "9"}
        job = {
            "app": app.name,
            "directory": str(app.directory),
            "environment": {**app.keys.environment(place), **away, **environment},
            "folder": folder.name,
            "lifespan": runs_lifespan,
            "mark": mark,
            "path": [str(app.directory), *app.search_path],
        }
        stdin = self._process.stdin
        if stdin is None or self._process.poll() is not None:
            raise AttackError("the process for the attacks has ended")
        stdin.write(json.dumps(job).encode() + b"\n")
        stdin.flush()
        return Server(folder, mark, self._wait(app.name, place))

    def _wait(self, name: str, folder: Path) -> dict[str, Any]:
        deadline = time.monotonic() + _START_SECONDS
        while not (folder / FACTS).exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AttackError(f"{name} did not start\n{_output(folder)}")
            time.sleep(_POLL_SECONDS)
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if "error" in facts:
            raise AttackError(f"{name} cannot be started: {facts['error']}\n{_output(folder)}".strip())
        return facts

    def close(self) -> None:
        """End every server, within a second."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _output(folder: Path) -> str:
    path = folder / OUTPUT
    return path.read_text(encoding="utf-8", errors="replace")[-_TAIL:] if path.exists() else ""
