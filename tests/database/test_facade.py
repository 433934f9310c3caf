import subprocess
import sys

import mysingle.database

LAZY = """
import sys
import mysingle.database
drivers = {"redis", "pymongo", "bson", "beanie", "duckdb", "orjson", "msgpack"} & set(sys.modules)
sys.exit(f"loaded: {drivers}" if drivers else 0)
"""


def test_import_is_cheap() -> None:
    """Importing the package loads no driver."""
    result = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")


def test_names() -> None:
    """Every public name is there, listed once and in order."""
    names = mysingle.database.__all__

    assert sorted(names) == names == dir(mysingle.database)
    assert all(getattr(mysingle.database, name) is not None for name in names)
