"""`mysingle submodule` on real repositories: a package with releases, and a service that has it as a submodule."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.tooling.git.conftest import SETTINGS, Command, MakeRepo, Repo

INSIDE = "packages/mysingle"
BACKEND = '''\
"""A build backend that needs nothing: it makes editable wheels of one module."""
import pathlib, zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "mysingle-9.9.9-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / name, "w") as wheel:
        wheel.writestr("mysingle_quotes.pth", str(pathlib.Path.cwd() / "lib"))
        info = "mysingle-9.9.9.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: mysingle\\nVersion: 9.9.9\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
'''
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "mysingle"
version = "9.9.9"
"""

Obstruct: TypeAlias = Callable[[Repo, Repo], object]


@pytest.fixture
def package(make_repo: MakeRepo) -> Repo:
    """Give the repository of a package with releases, and with candidates, which do not count."""
    repo = make_repo(tag="v1.0.0", name="package")
    for tag in ("v1.9.0", "v1.10.0", "v2.0.0-rc.1"):
        repo.commit(f"feat: {tag}", **{"code.py": tag})
        repo.git("tag", tag)
    repo.commit("feat: not released")
    return repo


@pytest.fixture
def service(make_repo: MakeRepo) -> Repo:
    """Give the repository of a service."""
    return make_repo(name="quote-service")


@pytest.fixture
def added(package: Repo, service: Repo, mysingle: Command) -> Repo:
    """Give a service with the submodule at its first release, pushed nowhere."""
    code, _, err = mysingle(service, "submodule", "add", str(package.path), "--to", "v1.0.0", "--no-install")
    assert (code, err) == (0, "")
    return service


def inside(service: Repo) -> Repo:
    return Repo(service.path / INSIDE)


def test_add(package: Repo, service: Repo, mysingle: Command) -> None:
    """The newest release is added as one commit, and what else is staged stays staged."""
    service.write("mine.py", "")
    service.git("add", "mine.py")
    code, out, err = mysingle(service, "submodule", "add", str(package.path), "--no-install")

    assert (code, out, err) == (0, f"{INSIDE} is at v1.10.0, committed\n", "")
    assert service.git("log", "-1", "--format=%s") == "build: add mysingle v1.10.0 as a submodule"
    assert service.git("show", "--format=", "--name-only", "HEAD").split() == [".gitmodules", INSIDE]
    assert service.git("status", "--porcelain") == "A  mine.py"
    assert inside(service).git("rev-parse", "HEAD") == package.git("rev-parse", "v1.10.0")


def test_add_again(added: Repo, package: Repo, mysingle: Command) -> None:
    """Adding what is there already changes nothing."""
    head = added.git("rev-parse", "HEAD")
    code, out, _ = mysingle(added, "submodule", "add", str(package.path), "--no-install")

    assert (code, out) == (0, f"{INSIDE} is at v1.0.0, nothing to commit\n")
    assert added.git("rev-parse", "HEAD") == head


def test_update(added: Repo, mysingle: Command) -> None:
    """The newest release is checked out and committed, with the news in the message; then there is nothing to do."""
    first = mysingle(added, "submodule", "update", "--no-install")
    second = mysingle(added, "submodule", "update", "--no-install")

    assert first == (0, f"{INSIDE} is at v1.10.0, committed\n", "")
    assert second == (0, f"{INSIDE} is at v1.10.0, nothing to commit\n", "")
    assert added.git("log", "-1", "--format=%B").rstrip() == (
        "build: update mysingle to v1.10.0\n\n- feat: v1.10.0\n- feat: v1.9.0"
    )
    assert added.git("status", "--porcelain") == ""


@pytest.mark.parametrize(("wanted", "tag"), [("v1.9.0", "v1.9.0"), ("2.0.0-rc.1", "v2.0.0-rc.1")])
def test_update_to(wanted: str, tag: str, added: Repo, mysingle: Command) -> None:
    """A release that is named is taken, also an older one and a candidate."""
    mysingle(added, "submodule", "update", "--no-install")
    code, out, _ = mysingle(added, "submodule", "update", "--to", wanted, "--no-install")

    assert (code, out) == (0, f"{INSIDE} is at {tag}, committed\n")


def test_update_of_a_new_release(added: Repo, package: Repo, mysingle: Command) -> None:
    """An update fetches first."""
    package.commit("fix: it")
    package.git("tag", "v1.11.0")

    assert mysingle(added, "submodule", "update", "--no-install")[1] == f"{INSIDE} is at v1.11.0, committed\n"


def test_fresh_clone(added: Repo, tmp_path: Path, mysingle: Command) -> None:
    """In a clone without its submodules the status says what to do, and an update does it."""
    clone = Repo(tmp_path / "clone")
    added.git("clone", "--quiet", str(added.path), str(clone.path))
    before = mysingle(clone, "submodule", "status")
    updated = mysingle(clone, "submodule", "update", "--no-install")
    after = mysingle(clone, "submodule", "status")

    assert (before[0], "not checked out: `mysingle submodule update`" in before[1]) == (1, True)
    assert updated == (0, f"{INSIDE} is at v1.10.0, committed\n", "")
    assert after[0] == 0


def test_status(added: Repo, mysingle: Command) -> None:
    """The status says where the submodule is, what is newest, and what is open; nothing open is exit code 0."""
    clean = mysingle(added, "submodule", "status")
    inside(added).write("code.py", "mine")
    document = json.loads(mysingle(added, "submodule", "status", "--json")[1])

    assert clean[0] == 0
    assert [line.split()[0] for line in clean[1].splitlines()] == ["path", "url", "recorded", "at", "newest"]
    assert (document["version"], document["newest"], document["changes"]) == ("v1.0.0", "v1.10.0", ["code.py"])
    assert document["problems"] == ["local changes: code.py"]


@pytest.mark.parametrize(
    ("obstruct", "problem"),
    [("_conflict", "in conflict after a merge"), ("_moved", "run `git submodule sync packages/mysingle`")],
)
def test_status_of_trouble(obstruct: str, problem: str, added: Repo, package: Repo, mysingle: Command) -> None:
    """A conflict, and a checkout that comes from elsewhere than `.gitmodules` says, are open, with exit code 1."""
    globals()[obstruct](added, package)
    code, out, _ = mysingle(added, "submodule", "status")

    assert code == 1
    assert problem.removeprefix("run ") in out


def test_sync(added: Repo, package: Repo, mysingle: Command) -> None:
    """Local changes become a commit on a branch, are pushed, and an update is free to go on."""
    inside(added).write("code.py", "better")
    inside(added).write("new.py", "new")
    message = "fix(auth): accept the new header"
    made = mysingle(added, "submodule", "sync", "-m", message)
    refused = mysingle(added, "submodule", "update", "--no-install")
    pushed = mysingle(added, "submodule", "sync", "-m", message, "--push")
    branch = "quote-service/fix-auth-accept-the-new-header"

    assert made[:2] == (0, f"{branch} is made in {INSIDE}; run again with --push to push it\n")
    assert (refused[0], "1 commit that no remote has" in refused[2]) == (2, True)
    assert pushed[:2] == (0, f"{branch} is pushed to {package.path}: open a pull request from it\n")
    assert package.git("log", "-1", "--format=%s", branch) == message
    assert package.git("show", "--format=", "--name-only", branch).split() == ["code.py", "new.py"]
    assert package.git("rev-parse", f"{branch}~1") == package.git("rev-parse", "v1.0.0^{commit}")
    assert mysingle(added, "submodule", "update", "--no-install")[0] == 0
    assert mysingle(added, "submodule", "sync", "-m", message)[1] == f"{INSIDE} has no changes to give back\n"


def test_sync_goes_on(added: Repo, package: Repo, mysingle: Command) -> None:
    """What a review asks for goes onto the branch that is there, and pushing it needs no message."""
    for number, options in enumerate([["--push"], []]):
        inside(added).write("code.py", f"better {number}")
        assert mysingle(added, "submodule", "sync", "-m", f"fix: better {number}", *options)[0] == 0
    said = mysingle(added, "submodule", "sync", "--push")

    assert said[1].startswith("quote-service/fix-better-0 is pushed to ")
    assert package.git("log", "-2", "--format=%s", "quote-service/fix-better-0") == "fix: better 1\nfix: better 0"
    assert package.git("branch", "--list", "quote-service/*").split() == ["quote-service/fix-better-0"]


def test_renamed_remote(added: Repo, mysingle: Command) -> None:
    """A submodule whose only remote has another name than origin is updated, changed and pushed all the same."""
    inside(added).git("remote", "rename", "origin", "upstream")
    updated = mysingle(added, "submodule", "update", "--no-install")
    inside(added).write("code.py", "better")
    pushed = mysingle(added, "submodule", "sync", "-m", "fix: it", "--push")

    assert (updated[0], pushed[0]) == (0, 0), updated[2] + pushed[2]
    assert mysingle(added, "submodule", "status", "--fetch")[1].count("v1.10.0") == 2


def test_relative_url(package: Repo, service: Repo, tmp_path: Path, mysingle: Command) -> None:
    """A relative URL stands beside the remote of the service, wherever the clone is."""
    remote = tmp_path / "hub"
    remote.mkdir()
    for repo in (package, service):
        repo.git("clone", "--quiet", "--bare", ".", str(remote / f"{repo.path.name}.git"))
    clone = Repo(tmp_path / "somewhere/deep/clone")
    service.git("clone", "--quiet", str(remote / "quote-service.git"), str(clone.path))
    dry = mysingle(clone, "submodule", "add", "../package.git", "--dry-run")
    added = mysingle(clone, "submodule", "add", "../package.git", "--no-install", "--to", "v1.0.0")
    clone.git("push", "--quiet")
    fresh = Repo(tmp_path / "fresh")
    service.git("clone", "--quiet", str(remote / "quote-service.git"), str(fresh.path))

    assert dry == (0, f"{INSIDE} would be at v1.10.0\n", "")
    assert added == (0, f"{INSIDE} is at v1.0.0, committed\n", "")
    assert mysingle(fresh, "submodule", "update", "--dry-run")[1] == f"{INSIDE} would be at v1.10.0\n"
    assert mysingle(fresh, "submodule", "update", "--no-install")[1] == f"{INSIDE} is at v1.10.0, committed\n"


def test_folders_that_git_does_not_trust(
    package: Repo, service: Repo, mysingle: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where git takes no submodule from a folder, the error says how to allow it, and no empty folder is left."""
    for index, name in enumerate(SETTINGS):
        if name == "protocol.file.allow":
            monkeypatch.setenv(f"GIT_CONFIG_VALUE_{index}", "user")  # git's own default
    code, _, err = mysingle(service, "submodule", "add", str(package.path), "--no-install")

    assert code == 2
    assert "git config --global protocol.file.allow always" in err
    assert not (service.path / "packages").exists()
    assert not (service.path / ".git/modules/packages").exists()


def _changed(service: Repo, package: Repo) -> None:
    inside(service).write("code.py", "mine")


def _untracked(service: Repo, package: Repo) -> None:
    inside(service).write("mine.py", "mine")


def _committed(service: Repo, package: Repo) -> None:
    inside(service).commit("fix: mine", **{"code.py": "mine"})


def _detached(service: Repo, package: Repo) -> None:
    service.git("checkout", "--quiet", "--detach")


def _away(service: Repo, package: Repo) -> None:
    package.path.rename(package.path.with_name("gone"))


def _conflict(service: Repo, package: Repo) -> None:
    for branch, tag in (("other", "v1.9.0"), ("main", "v2.0.0-rc.1")):
        if branch == "other":
            service.git("switch", "--quiet", "--create", branch)
        else:
            service.git("switch", "--quiet", branch)
        inside(service).git("checkout", "--quiet", "--detach", f"v{tag[1:]}")
        service.commit(f"build: {tag}")
    inside(service).git("checkout", "--quiet", "--detach", "v1.0.0")
    inside(service).commit("side")
    inside(service).git("tag", "side")
    service.git("switch", "--quiet", "--create", "third", "other~1")
    inside(service).git("checkout", "--quiet", "--detach", "side")
    service.commit("build: side")
    with pytest.raises(AssertionError):
        service.git("merge", "main")


def _moved(service: Repo, package: Repo) -> None:
    service.git("config", "--file", ".gitmodules", f"submodule.{INSIDE}.url", f"{package.path}-moved")
    service.commit("build: the package has moved")


def _ahead(service: Repo, package: Repo) -> None:
    inside(service).git("fetch", "--quiet", "origin")
    inside(service).git("checkout", "--quiet", "--detach", "origin/main")
    service.commit("build: a commit that is not released")


def _hook_of_the_service(service: Repo, package: Repo) -> None:
    service.hook("pre-commit", "echo 'error: the hook says no' >&2; exit 1")


def _merging(service: Repo, package: Repo) -> None:
    service.git("switch", "--quiet", "--create", "side")
    service.commit("feat: side", code="side")
    service.git("switch", "--quiet", "main")
    service.commit("feat: main", code="main")
    with pytest.raises(AssertionError):
        service.git("merge", "side")


def _moved_tag(service: Repo, package: Repo) -> None:
    inside(service).git("fetch", "--quiet", "--tags")
    package.git("tag", "--force", "v1.9.0", "main")


def _two_remotes(service: Repo, package: Repo) -> None:
    inside(service).git("remote", "rename", "origin", "one")
    inside(service).git("remote", "add", "two", "elsewhere")


UPDATES: dict[str, tuple[Obstruct, list[str], str]] = {
    "changed": (_changed, [], "has local changes: code.py; `mysingle submodule sync`"),
    "untracked": (_untracked, [], "has local changes: mine.py"),
    "committed": (_committed, [], "has 1 commit that no remote has"),
    "detached": (_detached, [], "run `git switch <branch>` first"),
    "away": (_away, [], "`git fetch` failed"),
    "conflict": (_conflict, [], "is in conflict after a merge"),
    "ahead": (_ahead, [], "is at a commit that v1.10.0 does not have"),
    "moved": (_moved, [], "comes from "),
    "hook": (_hook_of_the_service, [], "the hook says no"),
    "merging": (_merging, [], "a merge has not ended"),
    "moved-tag": (
        _moved_tag,
        [],
        "has moved the tag v1.9.0: when that is right, run `git -C 'packages/mysingle' fetch",
    ),
    "two-remotes": (_two_remotes, [], "has the remotes one, two, and none is origin"),
    "no-such-tag": (lambda *_: None, ["--to", "v7.0.0"], "has no tag v7.0.0; the newest release is v1.10.0"),
    "elsewhere": (lambda *_: None, ["--path", "libs/other"], "libs/other is no submodule of quote-service"),
    "outside": (lambda *_: None, ["--path", "../package"], "'../package' is not a folder below"),
}


@pytest.mark.parametrize(("obstruct", "words", "said"), UPDATES.values(), ids=UPDATES)
def test_update_refuses(
    obstruct: Obstruct, words: list[str], said: str, added: Repo, package: Repo, mysingle: Command
) -> None:
    """What would be lost, or cannot be done, is one line and exit code 2, and both repositories stay as they are."""
    obstruct(added, package)
    before = [repo.git("rev-parse", "HEAD") + repo.git("status", "--porcelain") for repo in (added, inside(added))]
    code, _, err = mysingle(added, "submodule", "update", "--no-install", *words)

    assert (code, err.count("\n")) == (2, 1)
    assert said in err
    assert before == [
        repo.git("rev-parse", "HEAD") + repo.git("status", "--porcelain") for repo in (added, inside(added))
    ]


def _no_tags(service: Repo, package: Repo) -> None:
    for tag in package.git("tag", "--list").split():
        package.git("tag", "--delete", tag)


def _in_the_way(service: Repo, package: Repo) -> None:
    service.write(f"{INSIDE}/mine.py", "mine")


def _ignored(service: Repo, package: Repo) -> None:
    service.commit("chore: ignore", **{".gitignore": "packages/\n"})


def _hook(service: Repo, package: Repo) -> None:
    service.hook("pre-commit", "echo 'error: the hook says no' >&2; exit 1")


@pytest.mark.parametrize(
    ("obstruct", "said"),
    [
        (_no_tags, "has no release tags such as v1.2.3"),
        (_away, "`git ls-remote` failed"),
        (_in_the_way, "packages/mysingle exists already, and is no submodule"),
        (_hook, "the hook says no"),
        (_ignored, "packages/mysingle is ignored by a .gitignore"),
        (_detached, "detached HEAD"),
    ],
    ids=["no-tags", "away", "in-the-way", "hook", "ignored", "detached"],
)
def test_add_refuses(obstruct: Obstruct, said: str, service: Repo, package: Repo, mysingle: Command) -> None:
    """What cannot be added leaves nothing of the try behind."""
    obstruct(service, package)
    before = (service.git("rev-parse", "HEAD"), service.git("status", "--porcelain"), service.git("config", "--list"))
    code, _, err = mysingle(service, "submodule", "add", str(package.path), "--no-install")

    assert (code, err.count("\n")) == (2, 1)
    assert said in err
    assert before == (
        *(service.git("rev-parse", "HEAD"), service.git("status", "--porcelain")),
        service.git("config", "--list"),
    )
    assert not (service.path / ".git/modules" / INSIDE).exists()
    assert not (service.path / ".gitmodules").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-m", "some words"], "'some words' is no commit message such as"),
        ([], "packages/mysingle has changes: say with -m what they do"),
        (["-m", "fix: it", "--branch", "taken"], "the branch taken exists already"),
    ],
    ids=["message", "no-message", "branch"],
)
def test_sync_refuses(words: list[str], said: str, added: Repo, mysingle: Command) -> None:
    """A message or a branch that cannot be used is one line, and the changes stay where they are."""
    inside(added).git("branch", "taken")
    inside(added).write("code.py", "mine")
    code, _, err = mysingle(added, "submodule", "sync", *words)

    assert (code, err.count("\n"), said in err) == (2, 1, True)
    assert inside(added).git("status", "--porcelain") == "?? code.py"


def test_dry_run(added: Repo, package: Repo, mysingle: Command) -> None:
    """A dry run says which release it would be, and changes nothing."""
    before = added.git("rev-parse", "HEAD")
    update = mysingle(added, "submodule", "update", "--dry-run")
    add = mysingle(added, "submodule", "add", str(package.path), "--path", "libs/other", "--dry-run")

    assert update == (0, f"{INSIDE} would be at v1.10.0\n", "")
    assert add == (0, "libs/other would be at v1.10.0\n", "")
    assert (added.git("rev-parse", "HEAD"), added.git("status", "--porcelain")) == (before, "")


@pytest.mark.parametrize("action", ["add", "update"])
def test_killed_anywhere(action: str, package: Repo, service: Repo, tmp_path: Path, mysingle: Command) -> None:
    """Killed before any of its steps, the same command ends right when it is run again."""
    words = ["submodule", action, *([str(package.path)] if action == "add" else []), "--no-install"]
    if action == "update":
        mysingle(service, "submodule", "add", str(package.path), "--to", "v1.0.0", "--no-install")
    template, copies = tmp_path / "template", tmp_path / "copies"
    template.mkdir()
    service.path.rename(template / "service")
    killer = [sys.executable, str(Path(__file__).with_name("killer.py")), str(template), "service", str(copies)]
    done = subprocess.run([*killer, *words], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    tries = json.loads(done.stdout)

    assert len(tries) > 3
    assert [first for _, first, _ in tries] == [-signal.SIGKILL] * (len(tries) - 1) + [0]
    for copy, _, second in tries:
        ended = Repo(Path(copy) / "service")
        assert (second, ended.git("status", "--porcelain")) == (0, ""), copy
        assert ended.git("rev-parse", f"HEAD:{INSIDE}") == package.git("rev-parse", "v1.10.0")
        assert inside(ended).git("rev-parse", "HEAD") == package.git("rev-parse", "v1.10.0")


def test_half_a_checkout(package: Repo, service: Repo, mysingle: Command) -> None:
    """A git that was killed in the middle of `add` leaves files missing; the next run goes on, and keeps an edit."""
    service.git("submodule", "--quiet", "add", "--", str(package.path), INSIDE)
    (service.path / INSIDE / "code.py").unlink()
    inside(service).write("mine.py", "mine")
    refused = mysingle(service, "submodule", "add", str(package.path), "--no-install")
    (service.path / INSIDE / "mine.py").unlink()
    added = mysingle(service, "submodule", "add", str(package.path), "--no-install")

    assert (refused[0], "local changes" in refused[2]) == (2, True)
    assert added[:2] == (0, f"{INSIDE} is at v1.10.0, committed\n")
    assert inside(service).read("code.py") == "v1.10.0"


def test_install(package: Repo, service: Repo, tmp_path: Path) -> None:
    """The added package is installed, editable, into the environment that runs the command."""
    package.commit(
        "feat: lib", **{"pyproject.toml": PROJECT, "backend.py": BACKEND, "lib/quotes_of_it.py": "HERE = 1\n"}
    )
    package.git("tag", "v3.0.0")
    subprocess.run(
        [sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", tmp_path / "venv"], check=True
    )
    python = tmp_path / "venv/bin/python"
    words = [python, "-m", "mysingle", "submodule", "add", str(package.path), "--extras", ""]
    # The environment sees the packages of its base interpreter, not those of the one that runs this test.
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(words, cwd=service.path, capture_output=True, text=True, timeout=120, check=False, env=here)
    found = subprocess.run(
        [python, "-c", "import quotes_of_it; print(quotes_of_it.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert found.stdout.strip() == str(service.path / INSIDE / "lib/quotes_of_it.py")


def test_install_that_fails(package: Repo, service: Repo, mysingle: Command) -> None:
    """When pip fails the submodule stays, and the line says what to run."""
    package.commit("feat: broken", **{"pyproject.toml": "[project\n"})
    package.git("tag", "v3.0.0")
    code, out, err = mysingle(service, "submodule", "add", str(package.path))

    assert (code, out) == (2, f"{INSIDE} is at v3.0.0, committed\n")
    assert "the submodule is there, but pip failed" in err
    assert err.count("\n") == 1
