"""Checks the files below some paths: the one use case behind the command, the hook and the pytest option."""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from mysingle.tooling.check._engine import check_source, unusable
from mysingle.tooling.check._fixes import repair
from mysingle.tooling.check._project import Project, import_roots
from mysingle.tooling.check._services import Service, learn, mentions_service
from mysingle.tooling.check._sources import Source, UnreadableError, discover, is_test, read_source, relative
from mysingle.tooling.check._writing import write_atomically
from mysingle.tooling.check.baseline import Baseline
from mysingle.tooling.check.configuration import CheckConfig
from mysingle.tooling.check.findings import Finding
from mysingle.tooling.check.rules import RULES

__all__ = ["CheckReport", "check_paths", "check_text", "fix_paths"]

_ROUNDS = 10
_RECURSION = 12_000
_MOST_NEIGHBOURS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """
    The findings of a run, in order.

    Paths of findings begin at `base`. `repaired` were there before, `texts` holds what a repair changes: before, after.
    """

    findings: tuple[Finding, ...]
    files: int
    base: Path = field(default_factory=Path)
    repaired: tuple[Finding, ...] = ()
    texts: dict[Path, tuple[str, str]] = field(default_factory=dict)

    @property
    def has_failed(self) -> bool:
        """Whether a finding is more than a note."""
        return any(RULES[finding.code].level == "error" for finding in self.findings)


def check_paths(paths: Sequence[Path], config: CheckConfig) -> CheckReport:
    """
    Check the Python files below some paths.

    Raises:
        CheckError: a path does not exist, or the baseline cannot be used.
    """
    known = Baseline.read(config.baseline) if config.baseline is not None else None
    with _quick():
        run = _Run(paths, config)
        found = sorted((finding for file in run.files for finding in run.check(file)), key=lambda one: one.order)
        found += run.problems
        run.project.clear()
    fresh = known.without_known(found) if known is not None else found
    return CheckReport(findings=tuple(fresh), files=len(run.files), base=config.base)


def check_text(text: str, config: CheckConfig | None = None, path: str = "app/example.py") -> tuple[Finding, ...]:
    """Check one text as if it stood in a file of its own."""
    config = config or CheckConfig(base=Path("/nonexistent"))
    source = Source(config.base / path, path, text, "utf-8")
    project = Project(config.base)
    service = Service(config.base)
    with _quick():
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            learn(service, [project.parse(source)], project.evaluator)
        active = config.active(path, in_tests=is_test(path))
        found = tuple(check_source(source, project, service, active, **_hosts(config)))
        project.clear()
    return found


def fix_paths(paths: Sequence[Path], config: CheckConfig, *, writes: bool = True) -> CheckReport:
    """
    Repair what is safe to repair, and check again; without `writes` the texts are only in the report.

    Raises:
        CheckError: as `check_paths`, or a file cannot be written.
    """
    repaired: list[Finding] = []
    texts: dict[Path, tuple[str, str]] = {}
    with _quick():
        run = _Run(paths, config)
        for file in run.files:
            done, change = _fix_file(run, file)
            repaired += done
            if change is not None:
                texts[file] = change
                if writes:
                    write_atomically(file, run.read(file).encoded(change[1]))
        run.project.clear()
    left = check_paths(paths, config)
    return replace(left, repaired=tuple(repaired), texts=texts)


def _fix_file(run: "_Run", file: Path) -> tuple[list[Finding], tuple[str, str] | None]:
    """Repair until nothing changes any more, so that a second run finds nothing to repair."""
    try:
        source = before = run.read(file)
    except UnreadableError:
        return [], None
    repaired: list[Finding] = []
    for _ in range(_ROUNDS):
        text, done = repair(source, run.check_source(source))
        if not done:
            break
        repaired += done
        source = replace(source, text=text)
        run.project.clear()
    return repaired, (before.text, source.text) if source.text != before.text else None


class _Run:
    """The files of one run, the services that they belong to, and the modules that are parsed."""

    def __init__(self, paths: Sequence[Path], config: CheckConfig) -> None:
        self._config = config
        self._base = config.base.resolve()
        self._services: dict[Path, Service] = {}
        self.problems: list[Finding] = []
        self.project = Project(self._base)
        places = [self._absolute(path) for path in paths]
        self.files = tuple(discover(places, self._base, config.exclude, self._note))
        self._learn([*self.files, *self._neighbours(places)])

    @staticmethod
    def _absolute(path: Path) -> Path:
        return path if path.is_absolute() else Path.cwd() / path

    def _note(self, path: Path, error: OSError) -> None:
        shown = relative(path, self._base)
        self.problems.append(unusable(shown, "MS002", f"the folder cannot be read: {error.strerror or error}"))

    def read(self, file: Path) -> Source:
        return read_source(file, relative(file, self._base))

    def check(self, file: Path) -> list[Finding]:
        shown = relative(file, self._base)
        try:
            source = self.read(file)
        except UnreadableError as error:
            active = self._config.active(shown, in_tests=is_test(shown))
            return [unusable(shown, "MS002", str(error))] if "MS002" in active else []
        return self.check_source(source)

    def check_source(self, source: Source) -> list[Finding]:
        self.project.release()
        active = self._config.active(source.shown, in_tests=is_test(source.shown))
        return check_source(source, self.project, self._service(source.path), active, **_hosts(self._config))

    def _service(self, file: Path) -> Service:
        """Return the service of a file: the nearest one upwards that has a configuration."""
        folder = import_roots(file.parent, self._base)[0]
        for place in (folder, *folder.parents):
            if place in self._services:
                return self._services[place]
            if place == self._base:
                break
        return Service(folder)

    def _neighbours(self, places: Sequence[Path]) -> list[Path]:
        """Return the other files of the services of which only some files are checked, as before a commit."""
        homes = dict.fromkeys(self._home(folder) for folder in dict.fromkeys(file.parent for file in self.files))
        partly = [home for home in homes if not any(home.is_relative_to(place) for place in places)]
        known = set(self.files)
        found = discover(partly, self._base, self._config.exclude, lambda *_: None)
        return [file for file in islice(found, _MOST_NEIGHBOURS) if file not in known]

    def _home(self, folder: Path) -> Path:
        """Return the folder of the project that a folder belongs to."""
        for place in (folder, *folder.parents):
            if (place / "pyproject.toml").is_file() or (place / ".git").exists():
                return place
            if place == self._base:
                break
        return import_roots(folder, self._base)[0]

    def _learn(self, files: Sequence[Path]) -> None:
        for file in files:
            shown = relative(file, self._base)
            try:
                if is_test(shown) or not mentions_service(file.read_bytes()):
                    continue
                module = self.project.parse(self.read(file))
            except (OSError, UnreadableError, SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            root = import_roots(file.parent, self._base)[0]
            service = self._services.setdefault(root, Service(root))
            learn(service, [module], self.project.evaluator)
            self.project.release()


def _hosts(config: CheckConfig) -> dict[str, tuple[str, ...]]:
    return {"service_hosts": config.service_hosts, "outside_hosts": config.external_hosts}


@contextmanager
def _quick() -> Iterator[None]:
    """Check without the collector, which would look at every node of every tree; trees are let go of by hand."""
    was_on, limit = gc.isenabled(), sys.getrecursionlimit()
    gc.disable()
    sys.setrecursionlimit(max(limit, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
        if was_on:
            gc.enable()
