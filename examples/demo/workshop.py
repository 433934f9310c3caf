"""The last chapter: a new service from one command, its own tests, and the linter of the platform."""

import os
import re
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from examples.demo.tour import Tour

NAME = "order-service"
TIMEOUT_SECONDS = 300


def make_service(tour: Tour) -> None:
    with tempfile.TemporaryDirectory() as folder:
        service = Path(folder, NAME)
        _step(tour, Path(folder), "a service is made", "mysingle", "new", NAME, shows=r"\d+ files")
        _step(tour, service, "its own tests run", "pytest", "-q", "-p", "no:cacheprovider", shows=r"\d+ passed")
        if find_spec("mysingle.tooling.check") is not None:
            _step(tour, service, "the linter looks at it", "mysingle", "check", ".", shows=r".*")


def _step(tour: Tour, folder: Path, step: str, module: str, *arguments: str, shows: str) -> None:
    """Run one command as a developer would, and show the words of its output that say how it went."""
    started = time.perf_counter()
    paths = os.pathsep.join([str(folder), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**_variables(), "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    found = re.search(shows, done.stdout)
    said = found[0] if found and done.returncode == 0 else (done.stderr or done.stdout).strip()[-300:]
    is_expected = done.returncode == 0 and found is not None
    tour.check(step, f"{said} in {time.perf_counter() - started:.1f} s", is_expected=is_expected)


def _variables() -> dict[str, str]:
    """Return the environment without what the demo has set for its own services."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV")}
