"""From commits to the size of a release: golden histories, also judged by git-cliff."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version as PackagingVersion

from mysingle.tooling.version._conventional import parse_message
from mysingle.tooling.version._history import Commit, bump_of, effective, labelled
from mysingle.tooling.version._semver import Bump, Version, parse_version

CLIFF = Path(sys.executable).with_name("git-cliff")
CONFIG = """\
[git]
conventional_commits = true
filter_unconventional = true
protect_breaking_commits = true
commit_parsers = [
  { message = "^(feat|fix|perf|revert)[(!:]", group = "all" },
  { message = ".*", skip = true },
]
[bump]
features_always_bump_minor = true
breaking_always_bump_major = true
"""
MANY = [f"docs: page {index}" for index in range(30)]
GOLDEN: dict[str, tuple[str, str, list[str]]] = {
    # name: (version before, version after, messages, oldest first)
    "fix": ("1.2.3", "1.2.4", ["fix: a"]),
    "feat": ("1.2.3", "1.3.0", ["feat: a"]),
    "perf": ("1.2.3", "1.2.4", ["perf: a"]),
    "revert": ("1.2.3", "1.2.4", ["revert: a"]),
    "feat-mark": ("1.2.3", "2.0.0", ["feat!: a"]),
    "fix-mark": ("1.2.3", "2.0.0", ["fix!: a"]),
    "fix-scope-mark": ("1.2.3", "2.0.0", ["fix(api)!: a"]),
    "chore-mark": ("1.2.3", "2.0.0", ["chore!: a"]),
    "docs-footer": ("1.2.3", "2.0.0", ["docs: a\n\nBREAKING CHANGE: b"]),
    "refactor-mark": ("1.2.3", "2.0.0", ["refactor!: a"]),
    "footer": ("1.2.3", "2.0.0", ["fix: a\n\nBREAKING CHANGE: b"]),
    "footer-dash": ("1.2.3", "2.0.0", ["fix: a\n\nBREAKING-CHANGE: b"]),
    "footer-behind-others": ("1.2.3", "2.0.0", ["fix: a\n\nwhy\n\nRefs: #1\nBREAKING CHANGE: b"]),
    "footer-before-others": ("1.2.3", "2.0.0", ["fix: a\n\nwhy\n\nBREAKING CHANGE: b\nRefs: #1"]),
    "footer-long": ("1.2.3", "2.0.0", ["fix: a\n\nBREAKING CHANGE: b\nc\nd"]),
    "lower-case-note": ("1.2.3", "1.2.4", ["fix: a\n\nbreaking change: b"]),
    "note-in-the-subject": ("1.2.3", "1.2.4", ["fix: a BREAKING CHANGE"]),
    "docs": ("1.2.3", "1.2.3", ["docs: a"]),
    "chore": ("1.2.3", "1.2.3", ["chore: a"]),
    "ci": ("1.2.3", "1.2.3", ["ci: a"]),
    "test": ("1.2.3", "1.2.3", ["test: a"]),
    "style": ("1.2.3", "1.2.3", ["style: a"]),
    "build": ("1.2.3", "1.2.3", ["build(deps): a"]),
    "unconventional": ("1.2.3", "1.2.3", ["Repair the thing"]),
    "no-space": ("1.2.3", "1.2.3", ["feat:a"]),
    "space-before": ("1.2.3", "1.2.3", ["feat : a"]),
    "merge-only": ("1.2.3", "1.2.3", ["Merge branch 'topic'"]),
    "merge-and-feat": ("1.2.3", "1.3.0", ["feat: a", "Merge branch 'topic'"]),
    "merge-with-type": ("1.2.3", "1.3.0", ["feat: the pull request (#12)"]),
    "many-docs": ("1.2.3", "1.2.3", MANY),
    "many-docs-one-fix": ("1.2.3", "1.2.4", [*MANY, "fix: a", *MANY]),
    "fix-then-feat": ("1.2.3", "1.3.0", ["fix: a", "feat: b"]),
    "feat-then-fix": ("1.2.3", "1.3.0", ["feat: a", "fix: b"]),
    "all-three": ("1.2.3", "2.0.0", ["fix: a", "feat!: b", "feat: c"]),
    "two-majors": ("1.2.3", "2.0.0", ["feat!: a", "fix!: b"]),
    "zero-fix": ("0.2.3", "0.2.4", ["fix: a"]),
    "zero-feat": ("0.2.3", "0.3.0", ["feat: a"]),
    "zero-mark": ("0.2.3", "1.0.0", ["feat!: a"]),
    "ten": ("1.9.9", "1.10.0", ["feat: a"]),
    "nine-patches": ("1.2.9", "1.2.10", ["fix: a"]),
    "big-numbers": ("12.34.56", "13.0.0", ["feat!: a"]),
    "korean": ("1.2.3", "1.3.0", ["feat(시세): 호가"]),
    "crlf": ("1.2.3", "1.3.0", ["feat: a\r\n\r\nwhy\r\n"]),
    "body-with-colon": ("1.2.3", "1.2.4", ["fix: a\n\nfeat: this line is body"]),
    "emoji-free-text": ("1.2.3", "1.2.3", ["wip", "wip 2", "feature: none of the types"]),
}


def commits(messages: list[str]) -> list[Commit]:
    """Return commits, newest first; the hash of the message at index 3 is 40 times a 3, and so on."""
    return [Commit(f"{index:x}" * 40, parse_message(text)) for index, text in enumerate(messages)][::-1]


@pytest.mark.parametrize(("before", "after", "messages"), GOLDEN.values(), ids=GOLDEN)
def test_golden(before: str, after: str, messages: list[str]) -> None:
    """The version after a history is the golden one."""
    current = parse_version(before)
    assert current
    bump = bump_of(effective(commits(messages)))

    assert after == str(current.raised(bump) if bump else current)


LENIENT = {"no-space"}
"""git-cliff reads `feat:a` as a feature; the convention requires a space."""

JUDGED = [(index, name) for index, name in enumerate(GOLDEN) if name not in LENIENT]


@pytest.fixture(scope="module")
def golden_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a repository with a branch for each golden history, each with its tag; made by one process."""
    folder = tmp_path_factory.mktemp("golden")
    stream = []
    for index, (before, _, messages) in enumerate(GOLDEN.values()):
        for position, text in enumerate(["chore: begin", *messages]):
            data = text.encode()
            stream.append(f"commit refs/heads/case-{index}\n".encode())
            stream.append(
                f"mark :{index * 1000 + position + 1}\ncommitter Ada <a@b.c> {1_700_000_000 + position} +0\n".encode()
            )
            stream.append(b"data %d\n%s\n" % (len(data), data))
            if position == 0:
                stream.append(f"reset refs/tags/case-{index}/{before}\nfrom :{index * 1000 + 1}\n\n".encode())
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True, timeout=30)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=folder, input=b"".join(stream), check=True, timeout=30)
    (folder / "cliff.toml").write_text(CONFIG)
    return folder


@pytest.mark.parametrize("index", [pytest.param(index, id=name) for index, name in JUDGED])
def test_git_cliff_agrees(index: int, golden_repository: Path) -> None:
    """git-cliff raises the version of every golden history as we do."""
    _, after, _ = list(GOLDEN.values())[index]
    command = ["git", "symbolic-ref", "HEAD", f"refs/heads/case-{index}"]
    subprocess.run(command, cwd=golden_repository, check=True, timeout=30)
    pattern = ["--tag-pattern", rf"^case-{index}/"]
    words = [str(CLIFF), "--config", "cliff.toml", "--offline", *pattern, "--bumped-version"]
    done = subprocess.run(words, cwd=golden_repository, capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, done.stdout.strip().rpartition("/")[2]) == (0, after), done.stderr


@pytest.mark.parametrize(
    ("messages", "bump"),
    [
        pytest.param(["feat: a", f"revert: a\n\nRefs: {'0' * 40}"], None, id="both-gone"),
        pytest.param(["feat: a", "fix: b", f"revert: a\n\nRefs: {'0' * 7}"], Bump.PATCH, id="one-gone"),
        pytest.param(["feat!: a", f'Revert "feat!: a"\n\nThis reverts commit {"0" * 40}.'], None, id="major-gone"),
        pytest.param(
            ["feat: a", f"revert: a\n\nRefs: {'0' * 40}", f"revert: revert: a\n\nRefs: {'1' * 40}"],
            Bump.MINOR,
            id="brought-back",
        ),
        pytest.param(["fix: a", f"revert: b\n\nRefs: {'f' * 40}"], Bump.PATCH, id="of-an-older-release"),
        pytest.param([f"revert: b\n\nRefs: {'f' * 40}"], Bump.PATCH, id="only-of-an-older-release"),
        pytest.param(["feat: a", f"revert!: a\n\nRefs: {'0' * 40}"], Bump.MAJOR, id="marked"),
    ],
)
def test_reverts(messages: list[str], bump: Bump | None) -> None:
    """What was taken back before anybody had it does not count; what users had counts as a patch."""
    assert bump == bump_of(effective(commits(messages)))


VERSIONS = st.builds(
    Version,
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 99),
    st.sampled_from(["", "alpha", "beta", "rc"]),
    st.integers(0, 20),
).map(lambda version: version if version.label else version.release)


@given(VERSIONS)
def test_version_round_trip(version: Version) -> None:
    """A version is read as what it was written from, in the spelling of Python packages too."""
    assert version == parse_version(str(version))
    assert version == parse_version(str(version).replace("-", "").replace(f"{version.label}.", version.label or "."))


@given(VERSIONS, st.sampled_from(Bump), st.sampled_from([None, "alpha", "beta", "rc"]))
def test_next_is_newer(version: Version, bump: Bump, label: str | None) -> None:
    """The next version is newer than every release before it, and a pre-release never has a number that is taken."""
    taken = [version.raised(bump)._replace(label=label, number=4)] if label else []
    found = labelled(version.release.raised(bump), label, taken)

    assert found > version.release
    assert found not in taken
    assert (found.label or None) == label


NEAR = st.tuples(VERSIONS, VERSIONS, st.booleans()).map(
    lambda drawn: (
        (drawn[0], drawn[1]._replace(major=drawn[0].major, minor=drawn[0].minor, patch=drawn[0].patch))
        if drawn[2]
        else drawn[:2]
    )
)
"""Two versions that often belong to one release, where a label decides."""


@given(NEAR)
def test_order(pair: tuple[Version, Version]) -> None:
    """Versions are ordered as Semantic Versioning says: numbers first, and a pre-release before its release."""
    one, other = pair
    expected = [PackagingVersion(str(version)) for version in pair]

    assert (one < other, one <= other) == (expected[0] < expected[1], expected[0] <= expected[1])
    assert (one > other, one >= other) == (expected[0] > expected[1], expected[0] >= expected[1])
    assert PackagingVersion(str(max(pair))) == max(expected)


@pytest.mark.parametrize(
    "text", ["1.2", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-rc", "1.2.3+x", "v1.2.3", "", "1.2.٣", "latest"]
)
def test_no_version(text: str) -> None:
    """What is not three numbers, with a known pre-release at most, is no version."""
    assert parse_version(text) is None
