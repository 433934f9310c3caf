"""`make demo`: the strategy service on real servers, used by two people."""

import os
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from examples.demo.service import Answer, Service
from examples.demo.terminal import bold, dim, green, progress, red, row

from mysingle._kernel.extras import MissingExtraError
from mysingle.core.errors import MySingleError
from mysingle.embedded import EmbeddedStack

DATA = Path(".mysingle")
ALICE, BOB = "a11ce0000000000000000001", "b0b000000000000000000002"
MOMENTUM = {"name": "Momentum", "symbol": "SPY", "interval": "1d", "parameters": {"fast": 20, "slow": 100}}
HITS = 'mysingle_cache_requests_total{cache="strategy",result="hit"}'
NOWHERE = "0" * 24


class Tour:
    """The calls of the demo, each with the status it must have."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.failures = 0

    def call(
        self,
        step: str,
        method: str,
        path: str,
        *,
        user: str | None = None,
        body: object = None,
        expect: int = 200,
        note: str = "",
    ) -> Answer:
        answer = self._service.call(method, path, user, body)
        shown = path if len(path) < 22 else f"{path[:11]}/{{id}}{path[36:]}"
        row(step, f"{method} {shown}", answer.status, expect, answer.seconds, note or _said(answer))
        self.failures += answer.status != expect
        return answer

    def read_through_cache(self, step: str, path: str) -> None:
        before = self._hits()
        answer = self._service.call("GET", path, ALICE)
        is_hit = self._hits() > before
        row(step, "GET /strategies/{id}", answer.status, 200, answer.seconds, f"cache {'hit' if is_hit else 'miss'}")
        self.failures += answer.status != 200

    def _hits(self) -> float:
        lines = self._service.call("GET", "/metrics").body.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(HITS))


def _said(answer: Answer) -> str:
    is_problem = answer.status >= 400 and isinstance(answer.body, dict)
    return dim(answer.body.get("code", "")) if is_problem else ""


def walk(service: Service) -> int:
    tour = Tour(service)
    created = tour.call("Alice creates a strategy", "POST", "/strategies", user=ALICE, body=MOMENTUM, expect=201)
    path = f"/strategies/{created.body.get('id', NOWHERE)}"
    page = tour.call("Alice lists hers", "GET", "/strategies?limit=5", user=ALICE)
    tour.read_through_cache("Alice reads it", path)
    tour.read_through_cache("Alice reads it again", path)
    tour.call("Alice changes it", "PUT", path, user=ALICE, body=MOMENTUM | {"name": "Slow momentum"})
    tour.call("another service starts it", "POST", f"{path}/start", user=ALICE)
    tour.call("Bob looks for it", "GET", path, user=BOB, expect=404)
    tour.call("nobody logged in asks", "GET", "/strategies", expect=401)
    tour.call("Alice sends nonsense", "POST", "/strategies", user=ALICE, body={"symbol": "???"}, expect=422)
    tour.call("Alice deletes it", "DELETE", path, user=ALICE, expect=204)
    for probe in ("/health", "/ready", "/metrics"):
        tour.call("the platform looks", "GET", probe)
    tour.failures += "items" not in page.body
    return tour.failures


def main() -> int:
    keep = "--keep" in sys.argv
    print(f"\n{bold('mysingle')}: one service, real servers, no configuration\n")
    with _servers() as stack, _strategy_service(stack) as service:
        print()
        failures = walk(service)
        print()
        if keep:
            _leave_open(service)
    print(green("All as expected.") if not failures else red(f"{failures} steps were not as expected."))
    return 1 if failures else 0


@contextmanager
def _servers() -> Iterator[EmbeddedStack]:
    with ExitStack() as running:
        with progress("MongoDB and Redis") as notes:
            stack = running.enter_context(EmbeddedStack(DATA, environ=os.environ))
            notes.append("SecantusDB, valkey-server" if stack.mongo and stack.redis else "as the environment says")
        yield stack


@contextmanager
def _strategy_service(stack: EmbeddedStack) -> Iterator[Service]:
    environment = {"ENVIRONMENT": "development", **stack.environment}
    with ExitStack() as running:
        with progress("strategy-service") as notes:
            service = Service("strategy_service", environment, (DATA / "strategy-service.log").absolute())
            running.enter_context(service)
            notes.append(service.url)
        yield service


def _leave_open(service: Service) -> None:
    print(f"  Documentation  {bold(service.url + '/docs')}")
    print(f"  Try            curl -H 'X-User-Id: {ALICE}' {service.url}/strategies")
    print(f"  Log            {DATA / 'strategy-service.log'}")
    print(dim("  Ctrl-C ends it all.\n"), flush=True)
    if sys.stdout.isatty():
        webbrowser.open(f"{service.url}/docs")
    try:
        service.wait()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, MySingleError, MissingExtraError) as error:
        sys.exit(red(f"error: {error}"))
    except KeyboardInterrupt:
        sys.exit(130)
