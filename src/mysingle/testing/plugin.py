"""
The pytest plugin.

`pytest --mysingle-auth-attacks app.main:app` attacks a service, one test for each attack.
`pytest --mysingle-check app` checks its code, one test for each file that breaks a rule.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mysingle.testing.attacks import AttackedService, Case

__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "pytest_configure"]

_APP = "mysingle_auth_attacks"
_PATH = "mysingle_auth_path"
_OPEN = "mysingle_auth_open"
_LIFESPAN = "mysingle_auth_lifespan"
_CHECK = "mysingle_check"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; nothing else happens without the first of them."""
    group = parser.getgroup("mysingle", "attacks on the authentication of a service (mysingle)")
    group.addoption(
        "--mysingle-auth-attacks",
        dest=_APP,
        metavar="MODULE:APP",
        help="attack this app; only the attacks run, unless tests are named",
    )
    group.addoption(
        "--mysingle-auth-path",
        dest=_PATH,
        metavar="PATH",
        help="the protected path that is attacked, instead of the first protected GET route",
    )
    group.addoption(
        "--mysingle-auth-open",
        dest=_OPEN,
        action="append",
        default=[],
        metavar="PATH",
        help="a path that is meant to be open, exact or ending in /*; may be given again. Every other route is closed",
    )
    group.addoption(
        "--mysingle-auth-lifespan",
        dest=_LIFESPAN,
        action="store_true",
        help="run the lifespan of the app, which then needs what it opens",
    )
    group.addoption(
        "--mysingle-check",
        dest=_CHECK,
        action="append",
        default=[],
        metavar="PATH",
        help="check the code below this path, as `mysingle check` does; may be given again",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Run the attacks alone, unless tests are named on the command line."""
    if config.getoption(_APP) and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args[:] = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the attacks on the service, and the check of its code, before the tests; `-k` chooses among them."""
    if config.getoption(_APP):
        items[:0] = AttackSuite.from_parent(session, name="attacks").collect()
    if config.getoption(_CHECK):
        from mysingle.testing._check_plugin import CheckSuite  # nobody pays for it without the option

        items[:0] = CheckSuite.from_parent(session, name="check", paths=config.getoption(_CHECK)).collect()


class AttackSuite(pytest.Collector):
    """The attacks on one service, which lives until the session ends."""

    def collect(self) -> Iterator["AttackTest"]:
        """
        Make one test of each attack.

        Raises:
            pytest.UsageError: the service cannot be attacked; the message says why.
        """
        for case in self._start().cases:
            yield AttackTest.from_parent(self, name=case.id, case=case)

    def _start(self) -> "AttackedService":
        from mysingle.testing.attacks import AttackedService, AttackError  # nobody pays for it without the option

        option = self.config.getoption
        try:
            service = AttackedService(
                option(_APP),
                path=option(_PATH),
                open_paths=option(_OPEN),
                directory=Path.cwd(),
                runs_lifespan=option(_LIFESPAN),
            )
        except (AttackError, ValueError) as error:
            raise pytest.UsageError(f"--mysingle-auth-attacks: {error}") from error
        self.config.add_cleanup(service.close)
        return service


class AttackTest(pytest.Item):
    """One attack."""

    def __init__(self, *, case: "Case", **options: Any) -> None:
        super().__init__(**options)
        self._case = case

    def runtest(self) -> None:
        """Attack, and say what went wrong."""
        if self._case.lacks is not None:
            pytest.skip(self._case.lacks)
        problem = self._case.run()
        if problem is not None:
            pytest.fail(f"An attacker {self._case.does}.\n{problem}", pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return how reports call the attack."""
        return self.path, None, f"attack: {self._case.id}"
