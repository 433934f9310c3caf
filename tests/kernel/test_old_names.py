"""The import paths of version 1 work, say where things are now, and agree with the table."""

import importlib
import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import mysingle
from mysingle._kernel.old_names import COMMAND, GONE_MODULES, MOVED, OTHER_LINE, RENAMED, GoneError

ROOT = Path(mysingle.__file__).parent
OWN = sorted(name for name in MOVED if name.startswith("mysingle."))
FORWARDING = {
    ".".join(["mysingle", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if "import forward" in path.read_text(encoding="utf-8")
}
HERE = [name for name in GONE_MODULES if name in FORWARDING]


def test_table_and_modules_agree() -> None:
    """Each old path of the table is a module that forwards, and no other module does."""
    assert {*OWN, *OTHER_LINE, *HERE} == FORWARDING
    assert {"mysingle.examples"} == set(GONE_MODULES) - set(HERE)


@pytest.mark.parametrize("old", OWN)
def test_moved(old: str) -> None:
    """An old path gives the very same names, and the warning names the command; importing alone says nothing."""
    new = importlib.import_module(MOVED[old])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module = importlib.import_module(old)
    for name in new.__all__:
        with pytest.warns(DeprecationWarning, match=COMMAND.replace(".", r"\.")) as caught:
            assert getattr(module, name) is getattr(new, name)
        assert caught[0].filename == __file__
    assert sorted(new.__all__) == sorted(module.__all__)


@pytest.mark.parametrize("alias", sorted(OTHER_LINE))
def test_other_line(alias: str) -> None:
    """A path of the other line of releases is an alias, without a warning."""
    new = importlib.import_module(OTHER_LINE[alias])
    module = importlib.import_module(alias)

    assert all(getattr(module, name) is getattr(new, name) for name in new.__all__)


@pytest.mark.parametrize("old", HERE)
def test_gone(old: str) -> None:
    """A name without a successor is an ImportError that says what to do instead."""
    with pytest.raises(GoneError, match="was removed in version 2") as caught:
        exec(f"from {old} import Anything")

    assert COMMAND in str(caught.value)
    assert not hasattr(importlib.import_module(old), "__path__")


@pytest.mark.parametrize("old", OWN)
def test_unknown(old: str) -> None:
    """An unknown name is an AttributeError, as everywhere."""
    assert not hasattr(importlib.import_module(old), "no_such_name")


def test_renamed() -> None:
    """A name that is called differently is found under its old name at the old path."""
    with pytest.warns(DeprecationWarning, match="mysingle.core.logging.setup_logging"):
        from mysingle.logging import setup_logging_legacy
    from mysingle.core.logging import setup_logging

    assert setup_logging_legacy is setup_logging


@pytest.mark.parametrize(
    "line",
    [
        "from mysingle.base import BaseDocument",
        "from mysingle.logging import get_logger",
        "from mysingle.auth.deps import get_current_user",
        "from mysingle.auth import current_active_user",
        "from mysingle.core import setup_logging_legacy",
        "import mysingle.base.models as old; old.BaseDocument",
    ],
)
def test_one_warning(line: str) -> None:
    """One use of an old name is one warning, even where every warning is shown."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(line)

    assert [(COMMAND in str(item.message), item.filename) for item in caught] == [(True, "<string>")]


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("from mysingle.clients import BaseServiceClient", "use mysingle.clients.BaseGrpcClient"),
        ("from mysingle.database import RedisUserCache", "use mysingle.database.BaseRedisCache"),
        ("from mysingle.core import HEADER_KONG_CONSUMER_ID", "read the caller with mysingle.auth"),
    ],
)
def test_removed_from_a_facade(line: str, instead: str) -> None:
    """A name that a package no longer has, because it is another thing now, says what to use and names the command."""
    with pytest.raises(GoneError) as caught:
        exec(line)

    assert instead in str(caught.value)
    assert COMMAND in str(caught.value)


@pytest.mark.parametrize("target", sorted(set(RENAMED.values())))
def test_targets_exist(target: str) -> None:
    """Whatever has another name now is there, as soon as its package is."""
    module, _, name = target.rpartition(".")
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not in this version")

    assert hasattr(importlib.import_module(module), name)


def test_package_before_1_1() -> None:
    """The first name of the package gives the modules of this one, not second copies, and warns once."""
    code = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import mysingle_quant.core.config as old
    from mysingle_quant import auth
    from mysingle_quant.core import ServiceType
import mysingle.auth, mysingle.core, mysingle.core.config, mysingle.core.config as new
assert old is new and auth is mysingle.auth and ServiceType is mysingle.core.ServiceType
assert old.__spec__.name == old.__name__ == "mysingle.core.config"
assert [str(item.message).count("mysingle migrate v2 .") for item in caught] == [1], caught
try:
    import mysingle_quant.nothing
except ModuleNotFoundError:
    print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    assert (done.stdout, done.stderr) == ("done\n", "")
