"""What the pages say about new services and about Kubernetes is what the code does."""

import argparse
import re
from pathlib import Path
from typing import Any

import yaml

from mysingle._kernel.shutdown import CLOSE_SECONDS, LEAVE_SECONDS, longest_end
from mysingle.cli import new
from mysingle.tooling.k8s import cluster_numbers

ROOT = Path(__file__).parents[2]


def shown(default: Any) -> str:
    return {None: "none", False: "off"}.get(default, str(default))


def test_options(read_table: Any) -> None:
    """The arguments of `mysingle new` stand in the reference in their order, with their defaults."""
    parser = argparse.ArgumentParser(add_help=False)
    new.add_arguments(parser)
    rows = read_table("docs/reference/command-line.md", "mysingle new")
    actions = [(action.option_strings or [action.dest], action.default) for action in parser._actions]

    assert [(names[0], shown(default)) for names, default in actions] == [
        (row["Argument"].strip("`"), row["Default"].strip("`")) for row in rows
    ]


def test_manifest_of_the_page() -> None:
    """The manifest of the page about production has the numbers that the code needs."""
    text = (ROOT / "docs/how-to/run-in-production.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    spec, numbers = yaml.safe_load(block)["spec"], cluster_numbers()
    probe = spec["containers"][0]["readinessProbe"]

    assert spec["terminationGracePeriodSeconds"] == numbers.termination_grace_seconds
    assert probe["periodSeconds"] * probe["failureThreshold"] < numbers.drain_delay_seconds
    assert f"plus {CLOSE_SECONDS + LEAVE_SECONDS:g} for closing" in text


def test_numbers_of_the_explanation(read_table: Any) -> None:
    """The page about SIGTERM names the bounds of every step, and their sum."""
    text = (ROOT / "docs/explanation/shutdown.md").read_text(encoding="utf-8")
    rows = {row["Number"]: row["Default"] for row in read_table("docs/explanation/shutdown.md", "The numbers")}
    numbers = cluster_numbers()
    longest = longest_end(numbers.drain_delay_seconds, numbers.shutdown_grace_seconds)

    assert rows["drain delay"].startswith(f"{numbers.drain_delay_seconds} s")
    assert rows["grace for requests in flight"] == f"{numbers.shutdown_grace_seconds} s"
    assert rows["closing the resources"] == f"at most {CLOSE_SECONDS:g} s"
    assert rows["threads that do not end"] == f"at most {LEAVE_SECONDS:g} s"
    assert f"{longest:g} s with these numbers, so set {numbers.termination_grace_seconds} in" in text
