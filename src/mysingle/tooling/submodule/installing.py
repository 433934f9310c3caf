"""Where this package comes from, and how it gets into the environment of a service."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mysingle.tooling.git import Git
from mysingle.tooling.submodule.checkout import SubmoduleError

__all__ = ["install_editable", "origin"]

_SECONDS = 900


def install_editable(folder: Path, extras: str) -> None:
    """
    Install a checkout into the environment of this interpreter, editable.

    Raises:
        SubmoduleError: pip failed; the message is its last line, and the command to run by hand.
    """
    target = f"{folder}[{extras}]" if extras else str(folder)
    words = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet", "--editable", target]
    try:
        done = subprocess.run(  # noqa: S603  # the words are ours, and no shell reads them
            [sys.executable, *words], capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise SubmoduleError(f"pip did not end within {_SECONDS} s: run `pip install -e '{target}'`") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["it does not say why"]
        cause = next((line for line in lines if line.lower().startswith("error")), lines[-1])
        raise SubmoduleError(f"the submodule is there, but pip failed: {cause}; run `pip install -e '{target}'`")


def origin() -> str | None:
    """Return where the installed package came from: a repository, a clone's remote, or its project page; else None."""
    try:
        distribution = metadata.distribution("mysingle")
    except metadata.PackageNotFoundError:
        return None
    direct = json.loads(distribution.read_text("direct_url.json") or "{}")
    if "vcs_info" in direct:
        return str(direct["url"])
    if str(direct.get("url", "")).startswith("file:"):
        folder = Path(unquote(urlsplit(direct["url"]).path))
        found = Git(folder).line("remote", "get-url", "origin") if folder.is_dir() else None
        if found:
            return found
    pages = dict(page.split(", ", 1) for page in distribution.metadata.get_all("Project-URL") or ())
    return next((url for name, url in pages.items() if name.lower() in ("repository", "source")), None)
