"""The pages keep the rules of the documentation: sizes, links, names that exist, one sentence a line, plain text."""

import importlib
import re
import unicodedata
from pathlib import Path

import pytest

from mysingle._kernel.allocation import POLICIES, RedisDB
from mysingle._kernel.errors import ErrorCode
from mysingle.auth import AuthReason
from mysingle.core.config import CommonSettings

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "src/mysingle/*/README.md", "changelog.d/*.md")
    for path in ROOT.glob(pattern)
)
KINDS = {"added", "changed", "deprecated", "removed", "fixed", "security"}
HIDDEN = re.compile(r"^```.*?^```$|^<!--.*?-->$", re.MULTILINE | re.DOTALL)
NOT_WORDS = re.compile(r"`[^`]*`|\[[^\]]*\]\([^)]*\)")
BEGINNING = re.compile(r"^\d+\. ")
VARIABLE = re.compile(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`")
DOTTED = re.compile(r"`(mysingle(?:\.\w+)+)(?:\([^`]*)?`")


def prose(page: str) -> str:
    """Return a page without its blocks and comments."""
    return HIDDEN.sub("", (ROOT / page).read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", HIDDEN.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def known_names() -> set[str]:
    """Every upper-case name that a page may speak of."""
    settings = set(CommonSettings.model_fields) | {"PROMETHEUS_MULTIPROC_DIR", "REDIS_URL", "REDIS_DB_MYSERVICE"}
    databases = {f"REDIS_DB_{name}" for db in RedisDB for name in (db.name, *POLICIES[db].aliases)}
    errors = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")  # compared with the code elsewhere
    return (
        settings
        | databases
        | set(ErrorCode)
        | set(AuthReason)
        | set(re.findall(r"^\| `([A-Z_]+)`", errors, re.MULTILINE))
    )


def test_readme_begins_with_the_two_commands() -> None:
    """The first thing that a newcomer reads is how to see it run."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [line.split("#")[0].strip() for line in lines[2:6]]

    assert commands == ["```bash", "make demo", "make test", "```"]
    assert len(lines) <= 120


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("src/")])
def test_package_readme_is_short(page: str) -> None:
    """The README of a package has at most 40 lines."""
    assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) <= 40


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Every relative link names a file, and an anchor of it."""
    here = ROOT / page
    broken = []
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        file = (here.parent / path).resolve() if path else here
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)

    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_variables_exist(page: str) -> None:
    """An upper-case name in code type is a setting, a database, an error code or a reason."""
    examples = {"HEADER_USER_ID", "UPPER_SNAKE", "FEED_API_KEY", "FEED_API_KEY_FILE", "IAM_SERVICE", "NON_IAM_SERVICE"}
    known = known_names() | examples
    named = set(VARIABLE.findall(prose(page)))

    unknown = {name for name in named - known if name.removesuffix("_FILE") not in known}
    assert {name for name in unknown if not name.endswith(("_GRPC_HOST", "_GRPC_PORT"))} == set()  # of any service


@pytest.mark.parametrize("page", PAGES)
def test_dotted_names_exist(page: str) -> None:
    """A name such as `mysingle.core.run` can be imported; names that are gone stand in the table of older code only."""
    text = prose(page).replace("`mysingle.base`", "").replace("`mysingle.toml`", "")

    for name in DOTTED.findall(text):
        module, _, attribute = name.rpartition(".")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), attribute), name


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith("src/")])
def test_one_sentence_a_line(page: str) -> None:
    """A line of prose holds one sentence, so that a change shows what changed."""
    lines = [NOT_WORDS.sub("x", line) for line in prose(page).splitlines() if not line.startswith(("|", "#"))]
    double = [line for line in lines if re.search(r"[.?!] [A-Z]", BEGINNING.sub("", line))]

    assert double == []


@pytest.mark.parametrize("page", PAGES)
def test_plain_text(page: str) -> None:
    """No emoji and no pictures: a page is text."""
    text = (ROOT / page).read_text(encoding="utf-8")

    assert {character for character in text if unicodedata.category(character) in ("So", "Cs", "Co")} == set()


def test_fragments_are_named_as_documented() -> None:
    """A changelog fragment is `<issue>.<kind>.md`."""
    names = [path.name.split(".") for path in (ROOT / "changelog.d").glob("*.md")]

    assert all(len(name) == 3 and name[0].isdigit() and name[1] in KINDS for name in names)
