"""Start-up: what importing costs beyond the libraries that are needed anyway, each in a fresh interpreter."""

import statistics
import subprocess
import sys
import time

ROUNDS = 15
LIBRARIES = "import fastapi, pydantic_settings, structlog, prometheus_client"
CASES = {
    "bare interpreter": "pass",
    "import mysingle": "import mysingle",
    "libraries": LIBRARIES,
    "create_fastapi_app": "from mysingle.core import create_fastapi_app",
    "everything for an app": "from mysingle.core import create_fastapi_app; import mysingle.core._assemble",
}
HELP = "from mysingle.cli import main; import sys; sys.argv = ['mysingle', '--help']; main()"


def _seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def measure() -> dict[str, float]:
    cases = {**CASES, "mysingle --help": HELP}
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, code in cases.items():
            times[name].append(_seconds(code))
    median = {name: statistics.median(values) * 1e3 for name, values in times.items()}
    bare = median["bare interpreter"]
    return {
        "bare_interpreter_ms": bare,
        "import_mysingle_added_ms": median["import mysingle"] - bare,
        "libraries_ms": median["libraries"] - bare,
        "create_fastapi_app_ms": median["create_fastapi_app"] - bare,
        "ratio_create_fastapi_app": (median["create_fastapi_app"] - bare) / (median["libraries"] - bare),
        "ratio_everything_for_an_app": (median["everything for an app"] - bare) / (median["libraries"] - bare),
        "help_ms": median["mysingle --help"],
    }
