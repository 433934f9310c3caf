"""`mysingle version` on real repositories."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.tooling.git.conftest import Command, MakeRepo, Repo

CHANGELOG = "# Changelog\n\nWords above.\n\n## 1.2.3 - 2026-01-01\n\n- old\n"
RELEASED = ("chore(release): 1.3.0", ("v1.2.3", "v1.3.0"), "", 'version = "1.3.0"  # written by releases')


@pytest.fixture
def remote(repo: Repo) -> Repo:
    """Give a remote that has what the repository had at its tag."""
    bare = Repo(repo.path.with_name("remote.git"))
    subprocess.run(["git", "init", "--quiet", "--bare", str(bare.path)], check=True, timeout=30)
    repo.git("remote", "add", "origin", "../remote.git")
    repo.git("push", "--quiet", "origin", "v1.2.3^{commit}:refs/heads/main", "v1.2.3")
    return bare


def test_auto(repo: Repo, mysingle: Command) -> None:
    """The release is one commit and one annotated tag; the file keeps its comments, and only the version changes."""
    before = repo.read("pyproject.toml")
    code, out, err = mysingle(repo, "version", "auto")

    assert (code, err) == (0, "")
    assert out == "1.2.3 -> 1.3.0 (minor: 3 commits since v1.2.3)\ntagged v1.3.0\n"
    assert repo.state() == RELEASED
    assert repo.read("pyproject.toml") == before.replace('"1.2.3"', '"1.3.0"', 1)
    assert repo.git("cat-file", "-t", "v1.3.0") == "tag"
    assert repo.git("rev-parse", "v1.3.0^{commit}", "HEAD^1").split()[0] == repo.git("rev-parse", "HEAD")
    assert repo.git("rev-list", "--count", "v1.2.3..HEAD") == "4"


def test_again_is_nothing(repo: Repo, mysingle: Command) -> None:
    """After a release there is nothing to release."""
    mysingle(repo, "version", "auto")
    code, out, _ = mysingle(repo, "version", "auto")

    assert (code, out) == (0, "Nothing to release: 0 commits since v1.3.0\n")
    assert repo.state() == RELEASED


@pytest.mark.parametrize(
    ("words", "tag"),
    [
        (["major"], "v2.0.0"),
        (["minor"], "v1.3.0"),
        (["patch"], "v1.2.4"),
        (["set", "4.5.6"], "v4.5.6"),
        (["set", "v4.5.6"], "v4.5.6"),
        (["set", "2.0.0-beta.3"], "v2.0.0-beta.3"),
        (["auto", "--pre", "rc"], "v1.3.0-rc.1"),
        (["patch", "--pre", "alpha"], "v1.2.4-alpha.1"),
    ],
    ids=" ".join,
)
def test_actions(words: list[str], tag: str, repo: Repo, mysingle: Command) -> None:
    """Each action makes the version that it names."""
    code, _, err = mysingle(repo, "version", *words)

    assert (code, err) == (0, "")
    assert tag in repo.state().tags
    assert f'"{tag[1:]}"' in repo.state().version


def test_candidates_lead_to_a_release(repo: Repo, mysingle: Command) -> None:
    """Candidates count up, wait for a commit, leave the changelog alone, and end in the release that has it all."""
    repo.commit("docs: log", CHANGELOG__md="", **{"CHANGELOG.md": CHANGELOG})
    said = [mysingle(repo, "version", "auto", "--pre", "rc")[1]]
    said.append(mysingle(repo, "version", "auto", "--pre", "rc")[1])
    repo.commit("fix: late")
    said.append(mysingle(repo, "version", "auto", "--pre", "rc")[1])
    between = repo.read("CHANGELOG.md")
    repo.commit("feat!: later")
    said.append(mysingle(repo, "version", "auto", "--pre", "rc")[1])
    said.append(mysingle(repo, "version", "auto")[1])

    assert [text.splitlines()[-1] for text in said] == [
        "tagged v1.3.0-rc.1",
        "Nothing to release: 0 commits since v1.3.0-rc.1",
        "tagged v1.3.0-rc.2",
        "tagged v2.0.0-rc.1",
        "tagged v2.0.0",
    ]
    assert between == CHANGELOG
    assert all(word in repo.read("CHANGELOG.md") for word in ("- more quotes (", "- late (", "- later ("))


def test_life_goes_on_after_candidates(repo: Repo, mysingle: Command) -> None:
    """A release that had candidates is newer than they are, so the next one follows it."""
    mysingle(repo, "version", "auto", "--pre", "rc")
    mysingle(repo, "version", "auto")
    repo.commit("fix: after")

    assert mysingle(repo, "version", "auto") == (
        0,
        "1.3.0 -> 1.3.1 (patch: 1 commit since v1.3.0)\ntagged v1.3.1\n",
        "",
    )
    repo.commit("feat: next")
    assert mysingle(repo, "version", "auto", "--pre", "rc")[1].endswith("tagged v1.4.0-rc.1\n")
    assert mysingle(repo, "version", "set", "1.3.9")[0] == 2


@pytest.mark.parametrize(
    ("begin", "then", "tag"),
    [
        (["set", "3.0.0-rc.1"], ["auto"], "v3.0.0"),
        (["major", "--pre", "rc"], ["auto"], "v2.0.0"),
        (["major", "--pre", "rc"], ["auto", "--pre", "rc"], "v2.0.0-rc.2"),
        (["patch", "--pre", "rc"], ["auto"], "v1.3.0"),
    ],
    ids=" ".join,
)
def test_a_candidate_is_a_promise(begin: list[str], then: list[str], tag: str, repo: Repo, mysingle: Command) -> None:
    """`auto` makes at least the release that a candidate leads to, however small the commits are."""
    assert mysingle(repo, "version", *begin)[0] == 0
    repo.commit("fix: late")

    assert mysingle(repo, "version", *then)[1].endswith(f"tagged {tag}\n")


def test_a_candidate_without_commits_becomes_its_release(make_repo: MakeRepo, mysingle: Command) -> None:
    """`auto` after `set` of a candidate makes the release, also when the commits mean nothing to users."""
    repo = make_repo(["docs: words"])
    mysingle(repo, "version", "set", "1.3.0-rc.1")

    assert mysingle(repo, "version", "auto")[1].endswith("tagged v1.3.0\n")
    assert "Nothing to release" in mysingle(repo, "version", "auto")[1]


@pytest.mark.parametrize(
    ("tags", "tag"),
    [
        (["1.2.3"], "1.3.0"),
        (["1.0.0", "v1.2.3"], "v1.3.0"),
        (["v1.0.0", "1.2.3"], "1.3.0"),
        (["1.2.3", "v1.2.3"], "v1.3.0"),
        (["1.2.3", "v1.2", "v1.2.3.4", "latest", "release-9.0.0"], "1.3.0"),
    ],
    ids=" ".join,
)
def test_tags_without_a_letter(tags: list[str], tag: str, make_repo: MakeRepo, mysingle: Command) -> None:
    """Tags such as `1.2.3` are version tags too, and the next tag is written as the newest one is."""
    repo = make_repo(["feat!: before the release"], tag=None)
    for name in tags:
        repo.git("tag", name)
    repo.commit("feat: after it")

    assert mysingle(repo, "version", "auto") == (
        0,
        f"1.2.3 -> 1.3.0 (minor: 1 commit since {'v1.2.3' if 'v1.2.3' in tags else '1.2.3'})\ntagged {tag}\n",
        "",
    )


@pytest.mark.parametrize("path", [".", "services/quotes"])
def test_a_merge_that_is_taken_back(path: str, make_repo: MakeRepo, mysingle: Command) -> None:
    """What a merge brought does not count when the merge is reverted, and counts again when that is reverted."""
    repo = make_repo()
    if path != ".":
        repo.commit("chore: package", **{f"{path}/pyproject.toml": '[project]\nname = "q"\nversion = "1.2.3"\n'})
        repo.git("tag", "q-v1.2.3")
    repo.git("switch", "--quiet", "--create", "topic")
    repo.commit("feat!: one", **{f"{path}/one.py": "1\n"})
    repo.commit("feat: two", **{f"{path}/two.py": "2\n"})
    repo.git("switch", "--quiet", "main")
    repo.commit("fix: mine", **{f"{path}/mine.py": "3\n"})
    repo.git("merge", "--quiet", "--no-ff", "--message=Merge branch 'topic'", "topic")
    repo.git("revert", "--no-edit", "--mainline=1", "HEAD")
    taken_back = mysingle(repo, "version", "show", "--path", path)[1].splitlines()[-1]
    repo.git("revert", "--no-edit", "HEAD")
    brought_back = mysingle(repo, "version", "show", "--path", path)[1].splitlines()[-1]

    assert "1.2.4 (patch: 1 commit " in taken_back
    assert "2.0.0 (major: 4 commits " in brought_back


LOGS = {
    "unreleased": "# Log\n\n## [Unreleased]\n\n- soon\n\n@## 1.2.3\n\n- old\n",
    "unreleased-only": "# Log\n\n## Unreleased\n\n- soon\n\n@",
    "code": "# Log\n\n```\n## no heading\n```\n\n@## [1.2.3]\n",
}


@pytest.mark.parametrize("log", LOGS.values(), ids=LOGS)
def test_changelog_that_people_write(log: str, repo: Repo, mysingle: Command) -> None:
    """The section stands above the releases, below what is not released, and never inside of a block of code."""
    before, after = log.split("@")
    repo.commit("docs: log", **{"CHANGELOG.md": before + after})
    mysingle(repo, "version", "auto")
    text = repo.read("CHANGELOG.md")

    assert text.startswith(f"{before}## 1.3.0 - 20")
    assert text.endswith(after)


def test_a_hook_that_rewrites_the_subject(repo: Repo, mysingle: Command) -> None:
    """A release whose commit got another subject, and that was killed before its tag, is finished by the next run."""
    repo.hook("commit-msg", 'sed -i "s/chore/ABC-1 chore/" "$1"; kill -9 $(ps -o ppid= -p $PPID)')
    command = [sys.executable, "-m", "mysingle", "version", "auto"]
    killed = subprocess.run(command, cwd=repo.path, capture_output=True, timeout=30, check=False)
    _wait_until_quiet(repo)
    (repo.path / ".git/hooks/commit-msg").unlink()

    assert killed.returncode == -signal.SIGKILL
    assert repo.git("log", "-1", "--format=%s") == "ABC-1 chore(release): 1.3.0"
    assert mysingle(repo, "version", "auto")[1] == "The release v1.3.0, which an earlier run began, is finished\n"
    assert repo.state().tags == ("v1.2.3", "v1.3.0")


def test_changelog_from_commits(repo: Repo, mysingle: Command) -> None:
    """Without fragments the changelog holds what users notice, above the older versions."""
    repo.commit("feat(api)!: drop\n\nBREAKING CHANGE: v1 is gone", **{"CHANGELOG.md": CHANGELOG})
    mysingle(repo, "version", "auto")
    section = repo.read("CHANGELOG.md").split("\n## ")[1]
    lines = [line for line in section.splitlines()[1:] if line]

    assert repo.read("CHANGELOG.md").startswith("# Changelog\n\nWords above.\n\n## 2.0.0 - 20")
    assert repo.read("CHANGELOG.md").endswith("\n\n## 1.2.3 - 2026-01-01\n\n- old\n")
    assert [line.partition(" (")[0] for line in lines] == [
        *("### Breaking", "- api: v1 is gone", "### Added", "- api: drop"),
        *("- more quotes", "### Fixed", "- api: answer"),
    ]


def test_changelog_from_fragments(repo: Repo, mysingle: Command) -> None:
    """Fragments become the section, sorted by kind and issue, and are gone; their README stays."""
    repo.commit(
        "docs: fragments",
        **{
            "changelog.d/10.added.md": "Ten.\nMore of ten.\n",
            "changelog.d/9.added.md": "Nine.\n",
            "changelog.d/3.security.md": "Safe.\r\n",
            "changelog.d/README.md": "How to.\n",
        },
    )
    mysingle(repo, "version", "auto")
    section = repo.read("CHANGELOG.md").partition("\n\n### ")[2]

    assert section == "Added\n\n- Nine.\n- Ten.\n  More of ten.\n\n### Security\n\n- Safe.\n"
    assert [file.name for file in (repo.path / "changelog.d").iterdir()] == ["README.md"]
    assert repo.state() == RELEASED


def test_line_endings(make_repo: MakeRepo, mysingle: Command) -> None:
    """Windows line endings stay as they are, in both files."""
    repo = make_repo()
    text = repo.read("pyproject.toml").replace("\n", "\r\n")
    repo.commit("fix: it\r\n\r\nwhy", **{"pyproject.toml": text, "CHANGELOG.md": CHANGELOG.replace("\n", "\r\n")})
    mysingle(repo, "version", "auto")

    assert repo.read("pyproject.toml") == text.replace('"1.2.3"', '"1.2.4"', 1)
    assert repo.read("CHANGELOG.md").count("\n") == repo.read("CHANGELOG.md").count("\r\n") > 8
    assert repo.state().status == ""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[tool.x]\nversion = "1.2.3"\n[project]\nname = "q"\nversion = "1.2.3"\n', id="another-first"),
        pytest.param("[project]\nname = 'q'\n  version='1.2.3'\n", id="single-quotes"),
        pytest.param('project.name = "q"\nproject.version = "1.2.3"\n', id="dotted"),
        pytest.param('[tool.poetry]\nname = "q"\nversion = "1.2.3"\n', id="poetry"),
        pytest.param('[project]\n"version" = "1.2.3"\ndescription = """\nversion = "1.2.3"\n"""\n', id="in-a-text"),
        pytest.param('project = { name = "q", version = "1.2.3" }\n', id="inline"),
    ],
)
def test_shapes_of_pyproject(text: str, make_repo: MakeRepo, mysingle: Command) -> None:
    """The version of the package is replaced wherever it stands, or nothing is; never another version."""
    repo = make_repo()
    repo.commit("fix: it", **{"pyproject.toml": text})
    code, _, err = mysingle(repo, "version", "auto")
    changed = repo.read("pyproject.toml")

    if code:
        assert "write the version on a line of its own" in err
        assert (text, ("v1.2.3",)) == (changed, repo.state().tags)
    else:
        assert (changed.count("1.2.4"), changed.count("1.2.3")) == (1, text.count("1.2.3") - 1)


def test_no_tag(make_repo: MakeRepo, mysingle: Command) -> None:
    """Without a tag all commits count, from the version of the file."""
    repo = make_repo(["fix: it"], tag=None)
    code, out, _ = mysingle(repo, "version", "auto")

    assert (code, out.splitlines()[0]) == (0, "1.2.3 -> 1.3.0 (minor: 2 commits and no version tag yet)")


def test_monorepo(make_repo: MakeRepo, mysingle: Command) -> None:
    """A package below the top counts its own commits, and has its own tags."""
    repo = make_repo()
    text = '[project]\nname = "bars"\nversion = "0.1.0"\n'
    repo.commit("chore: bars", **{"services/바/pyproject.toml": text})
    repo.git("tag", "bars-v0.1.0")
    repo.commit("feat!: of another", other="x")
    repo.commit("fix: of bars", **{"services/바/a.py": ""})
    code, out, err = mysingle(repo, "version", "auto", "--path", "services/바")

    assert (code, err) == (0, "")
    assert out == "0.1.0 -> 0.1.1 (patch: 1 commit since bars-v0.1.0)\ntagged bars-v0.1.1\n"
    assert repo.state()[:3] == ("chore(release): bars 0.1.1", ("bars-v0.1.0", "bars-v0.1.1", "v1.2.3"), "")
    assert "## 0.1.1" in repo.read("services/바/CHANGELOG.md")


def test_dry_run(repo: Repo, remote: Repo, mysingle: Command) -> None:
    """A dry run says what would be done, also as JSON, and changes nothing at all."""
    before = (repo.state(), remote.git("for-each-ref"))
    code, out, err = mysingle(repo, "version", "auto", "--push", "--dry-run")
    document = json.loads(mysingle(repo, "version", "auto", "--dry-run", "--json")[1])

    assert (code, err) == (0, "")
    assert "would write  pyproject.toml" in out
    assert "would tag    v1.3.0" in out
    assert (document["version"], document["bump"], document["files"]) == (
        *("1.3.0", "minor"),
        ["CHANGELOG.md", "pyproject.toml"],
    )
    assert [commit["type"] for commit in document["commits"]] == ["docs", "feat", "fix"]
    assert before == (repo.state(), remote.git("for-each-ref"))
    assert not list((repo.path / ".git").glob("mysingle*"))


def test_show(repo: Repo, mysingle: Command) -> None:
    """Showing says the version, the tag and what would come."""
    code, out, _ = mysingle(repo, "version", "show")
    document = json.loads(mysingle(repo, "version", "show", "--json")[1])

    assert (code, out) == (0, "version  1.2.3\ntag      v1.2.3\nnext     1.3.0 (minor: 3 commits since v1.2.3)\n")
    assert (document["current"], document["version"]) == ("1.2.3", "1.3.0")


def test_push(repo: Repo, remote: Repo, mysingle: Command) -> None:
    """A push takes the branch and the tag along."""
    code, out, _ = mysingle(repo, "version", "auto", "--push")

    assert (code, out.splitlines()[-1]) == (0, "pushed to origin")
    assert remote.git("rev-parse", "main", "v1.3.0^{commit}").split() == [repo.git("rev-parse", "HEAD")] * 2


def _detach(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "--detach")


def _dirty(repo: Repo) -> None:
    repo.write("pyproject.toml", repo.read("pyproject.toml") + "# mine\n")


def _staged(repo: Repo) -> None:
    repo.write("new.py", "")
    repo.git("add", "new.py")


def _other_tag(repo: Repo) -> None:
    repo.git("switch", "--quiet", "--create", "other", "v1.2.3")
    repo.commit("feat: elsewhere")
    repo.git("tag", "v1.3.0")
    repo.git("switch", "--quiet", "main")


def _ahead(repo: Repo) -> None:
    repo.commit("fix: x", **{"pyproject.toml": repo.read("pyproject.toml").replace("1.2.3", "9.0.0", 1)})


def _hook(repo: Repo) -> None:
    repo.hook("pre-commit", "echo 'error: the hook says no' >&2; exit 1")


def _merging(repo: Repo) -> None:
    repo.git("switch", "--quiet", "--create", "other")
    repo.commit("feat: there", a="1")
    repo.git("switch", "--quiet", "main")
    repo.commit("feat: here", b="2")
    repo.git("merge", "--no-commit", "--no-ff", "other")


OBSTACLES = {
    "detached": (_detach, "git switch"),
    "dirty": (_dirty, "changes are not committed: pyproject.toml"),
    "staged": (_staged, "changes are not committed: new.py"),
    "merging": (_merging, "a merge has not ended"),
    "tag-elsewhere": (_other_tag, "the tag v1.3.0 exists already"),
    "file-and-tag-differ": (_ahead, "`mysingle version set 9.0.0` brings them together"),
    "hook": (_hook, "the hook says no"),
    "hook-that-edits": (
        lambda repo: repo.hook("pre-commit", "echo '# fixed' >> pyproject.toml; echo x >> CHANGELOG.md; exit 1"),
        "`git commit` failed",
    ),
    "untracked-changelog": (
        lambda repo: repo.write("CHANGELOG.md", CHANGELOG),
        "CHANGELOG.md would be changed, but no",
    ),
    "untracked-fragment": (lambda repo: repo.write("changelog.d/1.added.md", "x"), "changelog.d/1.added.md would be"),
    "fragment-name": (lambda repo: repo.commit("x", **{"changelog.d/1.new.md": "x"}), "<issue>.<kind>.md"),
    "fragment-empty": (lambda repo: repo.commit("x", **{"changelog.d/1.added.md": "\n"}), "is empty"),
    "broken-pyproject": (
        lambda repo: repo.commit("fix: x", **{"pyproject.toml": "[project\n"}),
        "pyproject.toml is broken",
    ),
    "no-version": (lambda repo: repo.commit("fix: x", **{"pyproject.toml": "[project]\n"}), "has no version"),
    "odd-version": (
        lambda repo: repo.commit("fix: x", **{"pyproject.toml": "[project]\nversion='1'\n"}),
        "'1' is not one",
    ),
    "dynamic": (
        lambda repo: repo.commit("fix: x", **{"pyproject.toml": "[project]\ndynamic=['version']\n"}),
        "dynamic",
    ),
    "ignored": (
        lambda repo: repo.commit("fix: x", **{".gitignore": "CHANGELOG.md\n"}),
        "CHANGELOG.md would be written, but .gitignore keeps it out",
    ),
    "no-pyproject": (lambda repo: (repo.path / "pyproject.toml").unlink(), "cannot be read: No such file"),
}


@pytest.mark.parametrize(("obstruct", "said"), OBSTACLES.values(), ids=OBSTACLES)
def test_obstacles(obstruct: object, said: str, repo: Repo, mysingle: Command) -> None:
    """What stands in the way is one line and exit code 2, and nothing is changed."""
    assert callable(obstruct)
    obstruct(repo)
    before = (repo.git("rev-parse", "HEAD"), repo.git("status", "--porcelain"), repo.git("tag", "--list"))
    code, out, err = mysingle(repo, "version", "auto")

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ")
    assert said in err
    assert before == (repo.git("rev-parse", "HEAD"), repo.git("status", "--porcelain"), repo.git("tag", "--list"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "1.2"], "'1.2' is no version"),
        (["set", "1.2.3"], "the tag v1.2.3 exists already"),
        (["set", "1.0.0"], "1.0.0 is older than 1.2.3"),
        (["auto", "--path", "nowhere"], "nowhere/pyproject.toml cannot be read"),
    ],
    ids=" ".join,
)
def test_wrong_wishes(words: list[str], said: str, repo: Repo, mysingle: Command) -> None:
    """A version that cannot be had is one line and exit code 2."""
    code, _, err = mysingle(repo, "version", *words)

    assert (code, err.count("\n")) == (2, 1)
    assert said in err


def test_file_and_tag_are_brought_together(repo: Repo, mysingle: Command) -> None:
    """The version that somebody has written into the file by hand is released as it is."""
    _ahead(repo)
    code, _, err = mysingle(repo, "version", "set", "9.0.0")

    assert (code, err) == (0, "")
    assert repo.state()[:3] == ("chore(release): 9.0.0", ("v1.2.3", "v9.0.0"), "")


def test_configuration_of_the_user(repo: Repo, mysingle: Command) -> None:
    """What a person has set for reading does not change what is read."""
    for name, value in {
        "log.showSignature": "true",
        "column.ui": "always",
        "color.ui": "always",
        "log.decorate": "full",
        "status.short": "true",
        "commit.verbose": "true",
        "core.commentChar": "-",
        "tag.sort": "-refname",
    }.items():
        repo.git("config", name, value)
    code, _, err = mysingle(repo, "version", "auto")

    assert (code, err) == (0, "")
    assert repo.git("-c", "column.ui=never", "-c", "color.ui=never", "tag", "--list").split() == ["v1.3.0", "v1.2.3"]
    assert "### Added" in repo.git("tag", "--list", "--format=%(contents)", "v1.3.0")


def test_no_repository(tmp_path: Path, mysingle: Command) -> None:
    """Outside of a repository, and in one without commits, the fix is named."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "q"\nversion = "1.2.3"\n')
    outside = mysingle(tmp_path, "version", "auto")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True, timeout=30)
    empty = mysingle(tmp_path, "version", "auto")

    assert (outside[0], empty[0]) == (2, 2)
    assert "is not in a git repository: run `git init`" in outside[2]
    assert "has no commits yet" in empty[2]


def test_shallow_clone(repo: Repo, tmp_path: Path, mysingle: Command) -> None:
    """A shallow clone is refused where commits may be missing, and used where all that count are there."""
    clones = []
    for depth in (2, 4):
        target = tmp_path / f"depth-{depth}"
        repo.git("clone", "--quiet", f"--depth={depth}", f"file://{repo.path}", str(target))
        clones.append(Repo(target))
    code, _, err = mysingle(clones[0], "version", "auto")

    assert (code, err) == (
        *(2,),
        "error: this clone is shallow, commits are missing: run `git fetch --unshallow --tags`\n",
    )
    assert mysingle(clones[1], "version", "auto")[0] == 0
    assert clones[1].state() == RELEASED


def _no_remote(repo: Repo, remote: Repo) -> None:
    repo.git("remote", "remove", "origin")


def _away(repo: Repo, remote: Repo) -> None:
    repo.git("remote", "set-url", "origin", "../nowhere.git")


def _newer(repo: Repo, remote: Repo) -> None:
    other = Repo(remote.path.with_name("other"))
    remote.git("clone", "--quiet", str(remote.path), str(other.path))
    other.git("checkout", "--quiet", "main")
    other.commit("fix: theirs")
    other.git("push", "--quiet", "origin", "main")


def _tagged(repo: Repo, remote: Repo) -> None:
    remote.git("tag", "v1.3.0", "refs/heads/main")


def _refusing(repo: Repo, remote: Repo) -> None:
    remote.write("hooks/update", "#!/bin/sh\ncase $1 in refs/tags/*) exit 1;; esac\n")
    (remote.path / "hooks/update").chmod(0o755)


@pytest.mark.parametrize(
    ("obstruct", "said"),
    [
        (_no_remote, "there is no remote 'origin'"),
        (_away, "`git ls-remote` failed: '../nowhere.git' does not appear to be a git repository"),
        (_newer, "origin has commits on main that are not here: run `git pull` first"),
        (_tagged, "origin has the tag v1.3.0 already"),
        (_refusing, "origin refused v1.3.0, so it was not made"),
    ],
    ids=["no-remote", "away", "newer", "tagged", "refusing"],
)
def test_push_that_cannot_be(obstruct: object, said: str, repo: Repo, remote: Repo, mysingle: Command) -> None:
    """A push that is not possible leaves neither commit nor tag behind, here or there."""
    assert callable(obstruct)
    obstruct(repo, remote)
    before = (repo.state(), repo.git("rev-parse", "HEAD"), remote.git("for-each-ref"))
    code, _, err = mysingle(repo, "version", "auto", "--push")

    assert (code, err.count("\n")) == (2, 1)
    assert said in err
    assert before == (repo.state(), repo.git("rev-parse", "HEAD"), remote.git("for-each-ref"))


def test_remote_goes_away_during_the_push(repo: Repo, remote: Repo, mysingle: Command) -> None:
    """When nobody can say whether a push arrived, the release waits, and the next run pushes it."""
    repo.hook("pre-push", "mv ../remote.git ../gone.git; exit 1")
    code, _, err = mysingle(repo, "version", "auto", "--push")
    (repo.path / ".git/hooks/pre-push").unlink()
    remote.path.with_name("gone.git").rename(remote.path)
    waiting = mysingle(repo, "version", "show")[2]
    again = mysingle(repo, "version", "auto", "--push")

    assert (code, err) == (
        2,
        "error: v1.3.0 is made here, and origin does not answer: run the command again to push it\n",
    )
    assert "The release v1.3.0 did not end" in waiting
    assert again[:2] == (0, "The release v1.3.0, which an earlier run began, is finished\n")
    assert remote.git("rev-parse", "main") == repo.git("rev-parse", "HEAD")


def test_killed_anywhere(repo: Repo, remote: Repo, tmp_path: Path) -> None:
    """Killed before any of its steps, the same command ends right when it is run again: one commit, one tag, pushed."""
    repo.commit("docs: a fragment", **{"changelog.d/7.added.md": "Quotes.\n", "CHANGELOG.md": CHANGELOG})
    template, copies = tmp_path / "template", tmp_path / "copies"
    template.mkdir()
    for folder in (repo.path, remote.path):
        folder.rename(template / folder.name)
    command = [sys.executable, str(Path(__file__).with_name("killer.py")), str(template), "quotes", str(copies)]
    done = subprocess.run(
        [*command, "version", "auto", "--push"], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    tries = json.loads(done.stdout)

    assert len(tries) > 13
    assert [first for _, first, _ in tries] == [-signal.SIGKILL] * (len(tries) - 1) + [0]
    for copy, _, second in tries:
        ended, upstream = Repo(Path(copy) / "quotes"), Repo(Path(copy) / "remote.git")
        assert (second, ended.state()) == (0, RELEASED), copy
        assert ended.git("rev-list", "--count", "v1.2.3..HEAD") == "5"
        assert ended.read("CHANGELOG.md").count("## 1.3.0") == 1
        assert ended.read("CHANGELOG.md").count("- Quotes.") == 1
        assert list((ended.path / "changelog.d").glob("*")) == []
        assert {file.name for file in (ended.path / ".git").glob("*mysingle*")} <= {"mysingle-version.lock"}
        assert upstream.git("rev-parse", "main", "v1.3.0^{commit}").split() == [ended.git("rev-parse", "HEAD")] * 2


@pytest.mark.parametrize("moment", ["add", "commit", "tag", "push"])
def test_killed_while_git_works(
    moment: str, repo: Repo, remote: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mysingle: Command
) -> None:
    """Killed while git does its part, which git then ends alone, the command ends right when it is run again."""
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nfor word; do [ "$word" = {moment} ] && kill -9 $PPID; done\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
        words = [sys.executable, "-m", "mysingle", "version", "auto", "--push"]
        killed = subprocess.run(words, cwd=repo.path, capture_output=True, timeout=60, check=False)
    _wait_until_quiet(repo)
    code, _, err = mysingle(repo, "version", "auto", "--push")

    assert (killed.returncode, code, err) == (-signal.SIGKILL, 0, "")
    assert repo.state() == RELEASED
    assert remote.git("rev-parse", "main", "v1.3.0^{commit}").split() == [repo.git("rev-parse", "HEAD")] * 2


def _wait_until_quiet(repo: Repo) -> None:
    """Wait until the orphaned git is done: it is the only one whose working folder is the repository."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        places = [folder / "cwd" for folder in Path("/proc").iterdir() if folder.name.isdigit()]
        if not any(_target(place) == repo.path for place in places if place.parent.name != str(os.getpid())):
            return
        time.sleep(0.02)
    pytest.fail("git did not end")


def _target(link: Path) -> Path | None:
    try:
        return link.readlink()
    except OSError:
        return None


def test_interrupted(repo: Repo, mysingle: Command) -> None:
    """Ctrl-C takes back what was begun, says so in a line, and ends with 130."""
    repo.hook("pre-commit", "kill -INT $(ps -o ppid= -p $PPID); sleep 1; exit 1")
    before = repo.state()
    done = subprocess.run(
        [sys.executable, "-m", "mysingle", "version", "auto"],
        cwd=repo.path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (130, "error: interrupted\n")
    assert before == repo.state()


READ_ONLY = """\
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)  # so that permissions count for the superuser too
os.execv(sys.executable, [sys.executable, "-m", "mysingle", "version", "auto"])
"""


@pytest.mark.parametrize("place", [".git", "."], ids=["git-folder", "tree"])
def test_read_only(place: str, repo: Repo) -> None:
    """In a tree that cannot be written the cause is one line, and nothing is half-done."""
    before = repo.state()
    (repo.path / place).chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY], cwd=repo.path, capture_output=True, text=True, timeout=60, check=False
    )
    (repo.path / place).chmod(0o755)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot be written: Permission denied" in done.stderr
    assert before == repo.state()
    assert not (repo.path / ".git/mysingle-version.json").exists()


def test_edit_after_a_kill_is_kept(repo: Repo, mysingle: Command) -> None:
    """What somebody wrote into a file after a run was killed is never overwritten."""
    repo.hook("pre-commit", "kill -9 $(ps -o ppid= -p $PPID); exit 1")
    words = [sys.executable, "-m", "mysingle", "version", "auto"]
    killed = subprocess.run(words, cwd=repo.path, capture_output=True, timeout=60, check=False)
    (repo.path / ".git/hooks/pre-commit").unlink()
    _wait_until_quiet(repo)
    repo.write("pyproject.toml", repo.read("pyproject.toml") + "# mine\n")
    code, _, err = mysingle(repo, "version", "auto")

    assert killed.returncode == -signal.SIGKILL
    assert (code, "changes are not committed: pyproject.toml" in err) == (2, True), err
    assert repo.read("pyproject.toml").endswith("# mine\n")


def test_ten_thousand_commits(repo: Repo, mysingle: Command) -> None:
    """One reading of ten thousand commits finds what matters in them."""
    text = b"docs: page\n\nwhy\n"
    one = b"commit refs/heads/main\ncommitter Ada <a@b.c> 1800000000 +0000\ndata %d\n%s\n" % (len(text), text)
    first = one.replace(b"\ndata", b"\ndata", 1) + b"from refs/heads/main^0\n"
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repo.path, input=first + one * 9_999, check=True, timeout=60)
    began = time.perf_counter()
    code, out, _ = mysingle(repo, "version", "auto")
    sys.stdout.write(f"10,003 commits: {time.perf_counter() - began:.2f} s\n")

    assert (code, out.splitlines()[0]) == (0, "1.2.3 -> 1.3.0 (minor: 10003 commits since v1.2.3)")


def test_hook_that_stops_a_push(repo: Repo, remote: Repo, mysingle: Command) -> None:
    """What a hook says of a push is what the person reads."""
    repo.hook("pre-push", "echo 'no pushing on fridays' >&2; exit 1")
    code, _, err = mysingle(repo, "version", "auto", "--push")

    assert (code, "no pushing on fridays" in err) == (2, True), err
    assert repo.state().tags == ("v1.2.3",)


def test_lock_of_a_killed_git(repo: Repo, mysingle: Command) -> None:
    """Where a killed git has left its lock, the error names the file and says what to do."""
    repo.write(".git/index.lock", "")
    code, _, err = mysingle(repo, "version", "auto")

    assert (code, err.count("\n")) == (2, 1)
    assert "index.lock" in err
    assert "delete it" in err


def test_two_at_once(repo: Repo, tmp_path: Path, mysingle: Command) -> None:
    """While one run makes a release, another one is refused."""
    gate = tmp_path / "gate"
    repo.hook("pre-commit", f"touch {gate}; while [ -e {gate} ]; do sleep 0.05; done")
    with subprocess.Popen([sys.executable, "-m", "mysingle", "version", "auto"], cwd=repo.path) as first:
        deadline = time.monotonic() + 30
        while not gate.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        code, _, err = mysingle(repo, "version", "auto")
        gate.unlink()

    assert (first.returncode, code) == (0, 2)
    assert "another run makes a release" in err
    assert repo.state() == RELEASED
