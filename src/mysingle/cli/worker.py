"""`mysingle worker`: run the background tasks of a service."""

import argparse

__all__ = ["add_arguments", "execute"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("app", help="where the Celery app is, for example app.tasks:celery")
    parser.add_argument("--concurrency", type=_count, help="how many processes run tasks; as many as there are cores")
    parser.add_argument("--beat", action="store_true", help="send the periodic tasks instead; start exactly one")


def execute(arguments: argparse.Namespace) -> int:
    """Work, and return the exit code."""
    from mysingle.tasks import run_beat, run_worker

    if arguments.beat:
        return run_beat(arguments.app)
    return run_worker(arguments.app, arguments.concurrency)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 1 and 1024")
    return int(text)
