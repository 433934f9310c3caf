"""`mysingle completion`: scripts that complete both commands when Tab is pressed."""

import argparse
import sys

__all__ = ["add_arguments", "execute"]

_SHELLS = ("bash", "fish", "zsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("shell", choices=_SHELLS, help="the shell that reads the script")


def execute(arguments: argparse.Namespace) -> int:
    """Print the script, and return the exit code."""
    from mysingle.cli._main import COMMANDS, PROTO_COMMANDS
    from mysingle.cli._scripts import SCRIPTS
    from mysingle.cli._tree import read_tree

    write = SCRIPTS[arguments.shell]
    trees = (read_tree("mysingle", COMMANDS), read_tree("mysingle-proto", PROTO_COMMANDS, "proto_"))
    sys.stdout.writelines(write(tree) for tree in trees)
    return 0
