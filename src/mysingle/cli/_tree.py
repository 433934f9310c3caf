"""The commands as a tree: names, options and choices, read from the parsers themselves."""

import argparse
import importlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

__all__ = ["Node", "Option", "read_tree"]


class Option(NamedTuple):
    """A flag: its spellings, a line of help, whether a value follows, and which values there are."""

    flags: tuple[str, ...]
    help: str
    takes_value: bool
    choices: tuple[str, ...]


class Node(NamedTuple):
    """A command, or a word that one takes: the words that lead to it, a line of help, options, and what may follow."""

    place: str
    help: str
    options: tuple[Option, ...]
    children: tuple["Node", ...]

    @property
    def name(self) -> str:
        """The last word that leads here."""
        return self.place.rpartition(" ")[2]

    def walk(self) -> Iterator["Node"]:
        """Yield this command and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def read_tree(program: str, commands: Mapping[str, str], prefix: str = "") -> Node:
    """Return the tree of a program; the modules of its commands are imported."""
    children = []
    for name, line in commands.items():
        parser = argparse.ArgumentParser(f"{program} {name}")
        importlib.import_module(f"mysingle.cli.{prefix}{name}").add_arguments(parser)
        children.append(_node(f"{program} {name}", line, parser))
    version = Option(("--version",), "show the version and exit", takes_value=False, choices=())
    return Node(program, "", (*_options(argparse.ArgumentParser()), version), tuple(children))


def _node(place: str, line: str, parser: argparse.ArgumentParser) -> Node:
    children: list[Node] = []
    options = _options(parser)
    for action in _actions(parser):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  # argparse has no public name for it
            lines = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001  # the same
            children += [_node(f"{place} {name}", lines.get(name, ""), below) for name, below in action.choices.items()]
        elif not action.option_strings:
            children += [Node(f"{place} {choice}", "", options, ()) for choice in action.choices or ()]
    return Node(place, line, options, tuple(children))


def _options(parser: argparse.ArgumentParser) -> tuple[Option, ...]:
    return tuple(
        Option(
            tuple(action.option_strings),
            action.help or "",
            takes_value=action.nargs != 0,
            choices=tuple(str(choice) for choice in action.choices or ()),
        )
        for action in _actions(parser)
        if action.option_strings
    )


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001  # argparse shows its tree no other way
