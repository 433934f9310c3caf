"""
The name that `mysingle` had before version 1.1.

Importing it, or anything below it, gives the modules of `mysingle` themselves, never second copies of them.
"""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from mysingle._kernel.old_names import COMMAND

__all__: list[str] = []

_OLD, _NEW = __name__, "mysingle"
_TEXT = f"{_OLD} is now {_NEW}, and goes in version 3. To change all imports, run: {COMMAND}"

warnings.warn(_TEXT, DeprecationWarning, stacklevel=2)


class _Same(Loader):
    """Gives the module of `mysingle`, as it is."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(_NEW + spec.name.removeprefix(_OLD))
        self._own = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own  # the machinery has put the old name there


class _Finder(MetaPathFinder):
    """Answers for what is below the old name, and for nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{_OLD}."):
            return None
        found = importlib.util.find_spec(_NEW + fullname.removeprefix(_OLD))
        return ModuleSpec(fullname, _Same()) if found else None


def __getattr__(name: str) -> object:
    """Give what `mysingle` has under that name."""
    return getattr(importlib.import_module(_NEW), name)


if not any(type(finder).__qualname__ == _Finder.__qualname__ for finder in sys.meta_path):
    sys.meta_path.insert(0, _Finder())
