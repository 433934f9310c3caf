"""`pytest --mysingle-check app`: the rules of the guide, one test for each file that breaks one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mysingle.tooling.check import CheckError, CheckReport, check_paths, find_pyproject, read_config, written

__all__ = ["CheckFile", "CheckSuite"]


class CheckSuite(pytest.Collector):
    """The check of some paths."""

    def __init__(self, *, paths: list[str], **options: Any) -> None:
        super().__init__(**options)
        self._paths = [Path(path) for path in paths]

    def collect(self) -> Iterator["CheckFile"]:
        """
        Make one test of each file with findings, and one of all the others.

        Raises:
            pytest.UsageError: a path or the configuration cannot be used.
        """
        try:
            config = read_config(find_pyproject(self.config.rootpath), self.config.rootpath)
            report = check_paths(self._paths, config)
        except CheckError as error:
            raise pytest.UsageError(f"--mysingle-check: {error}") from error
        found = list(dict.fromkeys(finding.path for finding in report.findings))
        for path in found:
            yield CheckFile.from_parent(self, name=path, report=_of_file(report, path))
        clean = replace(report, findings=())
        yield CheckFile.from_parent(self, name=f"{report.files - len(found)} other files", report=clean)


def _of_file(report: CheckReport, path: str) -> CheckReport:
    return replace(report, findings=tuple(one for one in report.findings if one.path == path), files=1)


class CheckFile(pytest.Item):
    """One file; notes alone do not fail it."""

    def __init__(self, *, report: CheckReport, **options: Any) -> None:
        super().__init__(**options)
        self._report = report

    def runtest(self) -> None:
        """Fail with the findings of the file."""
        if self._report.has_failed:
            pytest.fail(written(self._report, "text"), pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return how reports call the test."""
        return self.path, None, f"check: {self.name}"
