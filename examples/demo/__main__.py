"""`make demo`: services behind a gateway on real servers, used by two people, attacked by a third."""

import signal
import sys
import webbrowser

from examples.demo.authors import write_strategies
from examples.demo.calls import use_market_data
from examples.demo.chapters import attack, sign_up, use_sessions, use_strategies
from examples.demo.outages import kill_servers
from examples.demo.terminal import bold, dim, green, red
from examples.demo.tour import Tour
from examples.demo.workshop import make_service
from examples.demo.world import DATA, World, running_world

from mysingle._kernel.extras import MissingExtraError
from mysingle.core.errors import MySingleError


def walk(world: World) -> int:
    tour = Tour()
    tour.chapter("Two people get accounts")
    alice, bob = sign_up(tour, world, "Alice"), sign_up(tour, world, "Bob")
    tour.chapter("They use a service behind the gateway")
    use_strategies(tour, world, alice, bob)
    tour.chapter("Alice writes strategies")
    write_strategies(tour, world, alice.headers)
    tour.chapter("Services call each other over gRPC")
    use_market_data(tour, world, alice)
    tour.chapter("A session is renewed, and ended")
    use_sessions(tour, world, alice)
    tour.chapter("Three attacks")
    attack(tour, world, bob, victim=alice.id)
    tour.chapter("Servers go away while people work")
    kill_servers(tour, world, sign_up(tour, world, "Carol"))
    tour.chapter("A new service in one command")
    make_service(tour)
    return tour.failures


def main() -> int:
    print(f"\n{bold('mysingle')}: services behind a gateway, real servers, one command\n")
    with running_world() as world:
        failures = walk(world)
        print()
        if "--keep" in sys.argv:
            _leave_open(world)
    print(green("All as expected.") if not failures else red(f"{failures} steps were not as expected."))
    return 1 if failures else 0


def _leave_open(world: World) -> None:
    documentation = f"{world.iam.url}/docs"
    print(f"  Documentation  {bold(documentation)}")
    print(f"                 {bold(world.strategies.url + '/docs')}")
    print(f"  Gateway        {world.gateway.url}")
    print(f"  Logs           {DATA / '*-service*.log'}")
    print(dim("  Ctrl-C ends it all.\n"), flush=True)
    if sys.stdout.isatty():
        webbrowser.open(documentation)
    try:
        world.strategies.wait()
    except KeyboardInterrupt:
        print()


def _end_as_on_ctrl_c() -> None:
    """Close everything on SIGTERM and when the terminal goes away, too, unless somebody ignores that, as `nohup`."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    _end_as_on_ctrl_c()
    try:
        sys.exit(main())
    except (RuntimeError, MySingleError, MissingExtraError) as error:
        sys.exit(red(f"error: {error}"))
    except KeyboardInterrupt:
        sys.exit(130)
