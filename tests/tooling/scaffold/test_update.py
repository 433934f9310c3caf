"""A later template comes into an edited service; what people wrote is never lost."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tooling.scaffold.conftest import NINE, PARTS, Run

from mysingle.tooling.scaffold import Answers, Outcome, ScaffoldError, create, finish_interrupted, plan_update
from mysingle.tooling.scaffold.baseline import BASELINE
from mysingle.tooling.scaffold.merging import merge
from mysingle.tooling.scaffold.rendering import TEMPLATE
from mysingle.tooling.scaffold.update import JOURNAL, _write_journal


class History(NamedTuple):
    """Texts of one file: in the service after people edited it, in the template now, and after the update."""

    name: str
    ours: str | None
    now: str | None
    after: str | None
    outcome: Outcome | None


def changed(**lines: str) -> str:
    """Return the nine lines with some of them replaced, `_1="first"`, or deleted, `_1=""`."""
    rows = NINE.splitlines(keepends=True)
    return "".join(lines.get(f"_{number}", row) for number, row in enumerate(rows, 1))


FIRST, LAST, BOTH = changed(_1="first\n"), changed(_9="last\n"), changed(_1="first\n", _9="last\n")
CRLF, CRLF_LAST, CRLF_BOTH = (text.replace("\n", "\r\n") for text in (FIRST, LAST, BOTH))
TWO_WAY = "<<<<<<< this service\nmine\n=======\nyours\n>>>>>>> the template now\n"

HISTORIES = [
    History("nothing happened", NINE, NINE, NINE, None),
    History("only people edited", FIRST, NINE, FIRST, None),
    History("only the template changed", NINE, LAST, LAST, Outcome.UPDATED),
    History("both, in different places", FIRST, LAST, BOTH, Outcome.MERGED),
    History("both, the same", FIRST, FIRST, FIRST, None),
    History("both the same, and people more", BOTH, FIRST, BOTH, Outcome.KEPT),
    History("both the same, and the template more", FIRST, BOTH, BOTH, Outcome.MERGED),
    History("both, in one place", changed(_5="mine\n"), changed(_5="yours\n"), changed(_5=TWO_WAY), Outcome.CONFLICT),
    History("people deleted the file", None, LAST, None, Outcome.KEPT),
    History("the template deleted the file", NINE, None, None, Outcome.DELETED),
    History("the template deleted what people edited", FIRST, None, FIRST, Outcome.KEPT),
    History("both deleted the file", None, None, None, None),
    History("people emptied the file", "", LAST, None, Outcome.CONFLICT),
    History("the template emptied the file", NINE, "", "", Outcome.UPDATED),
    History("people deleted a line", changed(_2=""), LAST, changed(_2="", _9="last\n"), Outcome.MERGED),
    History("people added at the end", NINE + "more\n", FIRST, FIRST + "more\n", Outcome.MERGED),
    History("the template added in the middle", FIRST, changed(_5="line 5\nnew\n"),
            changed(_1="first\n", _5="line 5\nnew\n"), Outcome.MERGED),
    History("no newline at the end", NINE.rstrip(), FIRST, FIRST.rstrip(), Outcome.MERGED),
    History("Windows line ends, unedited", NINE.replace("\n", "\r\n"), LAST, CRLF_LAST, Outcome.UPDATED),
    History("Windows line ends, edited", CRLF, LAST, CRLF_BOTH, Outcome.MERGED),
    History("letters of every kind", "\u4e2d\u6587\n" + NINE, LAST, "\u4e2d\u6587\n" + LAST, Outcome.MERGED),
    History("no text any more", "\x00\x01" + NINE, LAST, "\x00\x01" + NINE, Outcome.BESIDE),
]  # fmt: skip


def set_template(small: Path, text: str | None, name: str = "a.txt") -> None:
    path = small / "template" / f"{name}.jinja"
    if text is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(text, newline="")


def set_file(service: Path, text: str | None, name: str = "a.txt") -> None:
    path = service / name
    if text is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(text.encode())


def text_of(path: Path) -> str | None:
    return path.read_bytes().decode() if path.is_file() else None


@pytest.mark.parametrize("history", HISTORIES, ids=[history.name for history in HISTORIES])
def test_histories(history: History, small: Path, service: Path) -> None:
    """Every history ends as it should, and a second update finds nothing to do."""
    set_file(service, history.ours)
    set_template(small, history.now)
    update = plan_update(service, template=small)
    if update.is_needed:
        update.apply()
    outcomes = {change.path: change.outcome for change in update.changes}

    assert outcomes == ({"a.txt": history.outcome} if history.outcome else {})
    if history.after is not None or history.outcome is not Outcome.CONFLICT:
        assert text_of(service / "a.txt") == history.after
    assert text_of(service / "b.txt") == NINE
    assert not plan_update(service, template=small).is_needed
    assert not list(service.glob(f"{JOURNAL}*"))


LINES = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=6).map(lambda rows: [f"{row}\n" for row in rows])


@given(LINES, LINES, LINES)
def test_nothing_is_lost(before: list[str], ours: list[str], now: list[str]) -> None:
    """Whatever happened on both sides, a line that people added is in the result, and so is one of the template."""
    mine = [f"mine {row}" for row in ours]
    yours = [f"yours {row}" for row in now]
    change = merge("a", "".join(before), "".join(before[:3] + mine + before[3:]).encode(), "".join(yours + before))
    result = (change.content or b"").decode() if change else "".join(before[:3] + mine + before[3:])

    assert all(row in result for row in mine)
    assert all(row in result for row in yours)


def test_new_files(small: Path, service: Path) -> None:
    """A file that the template adds is there; one that people made under the same name is merged, not replaced."""
    (service / "mine.txt").write_text("mine\n")
    (small / "template" / "deep" / "er").mkdir(parents=True)
    set_template(small, "new\n", "deep/er/new.txt")
    set_template(small, "yours\n", "mine.txt")
    plan_update(service, template=small).apply()

    assert text_of(service / "deep/er/new.txt") == "new\n"
    assert text_of(service / "mine.txt") == TWO_WAY


def test_renamed(small: Path, service: Path) -> None:
    """A change follows a file that people have renamed and edited; a conflict is marked there, and shown."""
    (service / "a.txt").rename(service / "other.txt")
    (service / "notes").mkdir()
    (service / "b.txt").rename(service / "notes/b.txt")
    set_file(service, FIRST, "other.txt")
    set_file(service, changed(_5="mine\n"), "notes/b.txt")
    set_template(small, LAST)
    set_template(small, changed(_5="yours\n"), "b.txt")
    update = plan_update(service, template=small)
    update.apply()

    assert [(change.target, change.outcome.value, change.note) for change in update.changes] == [
        ("other.txt", "merged", "was a.txt"),
        ("notes/b.txt", "conflict", "was b.txt; 1 place marked with <<<<<<<"),
    ]
    assert text_of(service / "other.txt") == BOTH
    assert text_of(service / "notes/b.txt") == changed(_5=TWO_WAY)
    assert not (service / "a.txt").exists()
    assert not plan_update(service, template=small).is_needed


def test_deleted_beside_another_file(small: Path, service: Path) -> None:
    """A file that is merely deleted is not taken for another one."""
    (service / "a.txt").unlink()
    set_file(service, "quite\nanother\ntext\nof\nmy\nown\n", "other.txt")
    set_template(small, LAST)

    assert [change.note for change in plan_update(service, template=small).changes] == [
        "deleted here; the template has changed it"
    ]


def test_in_the_way(small: Path, service: Path) -> None:
    """Where a link, a folder or a module stands instead of a file, everything else is updated, and that stays."""
    shared = service.parent / "shared.txt"
    (service / "a.txt").rename(shared)
    (service / "a.txt").symlink_to(shared)
    (service / "docs.txt/mine").mkdir(parents=True)
    set_file(service, "mine\n", "routes.py")
    set_file(service, "mine\n", "deep")
    set_template(small, LAST)
    set_template(small, LAST, "b.txt")
    for name in ("docs.txt", "routes/extra.py", "deep/new.txt"):
        (small / "template" / name).parent.mkdir(exist_ok=True)
        set_template(small, "new\n", name)
    update = plan_update(service, template=small)
    update.apply()

    assert {change.path: change.note.partition(";")[0] for change in update.changes} == {
        "a.txt": "a link here",
        "b.txt": "",
        "docs.txt": "a folder here",
        "routes/extra.py": "routes.py is here instead of its folder",
        "deep/new.txt": "deep is here instead of its folder",
    }
    assert (service / "a.txt").is_symlink()
    assert (text_of(shared), text_of(service / "b.txt")) == (NINE, LAST)
    assert not plan_update(service, template=small).is_needed


def test_undecided(small: Path, service: Path) -> None:
    """Marks that nobody has seen to are named until they are gone."""
    set_file(service, changed(_5="mine\n"))
    set_template(small, changed(_5="yours\n"))
    plan_update(service, template=small).apply()
    marked = plan_update(service, template=small).undecided
    set_file(service, changed(_5="both\n"))

    assert marked == ("a.txt",)
    assert plan_update(service, template=small).undecided == ()


def test_beside(small: Path, service: Path) -> None:
    """Where nothing can be merged the template's version stands beside the file."""
    (service / "a.txt").write_bytes(b"\x00")
    set_template(small, LAST)
    plan_update(service, template=small).apply()

    assert (service / "a.txt").read_bytes() == b"\x00"
    assert text_of(service / "a.txt.template") == LAST


def test_modes(small: Path, service: Path) -> None:
    """A file that may be executed still may."""
    (service / "a.txt").chmod(0o755)
    set_template(small, LAST)
    plan_update(service, template=small).apply()

    assert (service / "a.txt").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_killed(moved: int, small: Path, service: Path) -> None:
    """An update that was killed while it wrote is finished by the next one, however far it came."""
    set_file(service, FIRST)
    set_template(small, LAST)
    set_template(small, None, "b.txt")
    set_template(small, "new\n", "c.txt")
    update = plan_update(service, template=small)
    _write_journal(update)
    for name in ("a.txt", "c.txt")[:moved]:
        (service / JOURNAL / "files" / name).replace(service / name)

    assert finish_interrupted(service)
    assert [text_of(service / name) for name in ("a.txt", "b.txt", "c.txt")] == [BOTH, None, "new\n"]
    assert not plan_update(service, template=small).is_needed
    assert not finish_interrupted(service)


def test_killed_before_it_counts(small: Path, service: Path) -> None:
    """What was prepared and never became the plan changes nothing."""
    (service / f"{JOURNAL}.x" / "journal").mkdir(parents=True)

    assert not finish_interrupted(service)
    assert text_of(service / "a.txt") == NINE


def test_edited_after_the_kill(small: Path, service: Path) -> None:
    """An edit between the kill and the next update is not overwritten."""
    set_template(small, LAST)
    _write_journal(plan_update(service, template=small))
    set_file(service, FIRST)

    with pytest.raises(ScaffoldError, match=r"a\.txt was edited since"):
        finish_interrupted(service)
    assert text_of(service / "a.txt") == FIRST


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


def test_uncommitted(small: Path, service: Path) -> None:
    """In a repository an edit that is not committed stops an update of that file, and of no other."""
    git(service, "init", "--initial-branch", "main")
    git(service, "add", ".")
    git(service, "commit", "--message", "service")
    set_file(service, FIRST)
    set_template(small, LAST)

    with pytest.raises(ScaffoldError, match="commit or stash"):
        plan_update(service, template=small).apply()
    assert text_of(service / "a.txt") == FIRST
    git(service, "commit", "--all", "--message", "edit")
    set_file(service, FIRST, "b.txt")
    plan_update(service, template=small).apply()
    assert text_of(service / "a.txt") == BOTH


DAMAGED = {
    "no JSON": "<<<<<<< HEAD\n",
    "no object": "[]",
    "no files": '{"mysingle": "1", "answers": {"service_name": "x"}}',
    "outside": '{"mysingle": "1", "answers": {"service_name": "x"}, "files": {"../x": ""}}',
    "absolute": '{"mysingle": "1", "answers": {"service_name": "x"}, "files": {"/x": ""}}',
    "no answers": '{"mysingle": "1", "answers": {}, "files": {}}',
    "wrong type": '{"mysingle": "1", "answers": {"service_name": "x", "service_type": "y"}, "files": {}}',
    "a later version": '{"mysingle": "999.0", "answers": {"service_name": "x"}, "files": {}}',
    "no UTF-8": "\udcff",
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_damaged(text: str, service: Path) -> None:
    """What the service remembers may be damaged: one line says so, and nothing is written."""
    (service / BASELINE).write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(ScaffoldError) as refused:
        plan_update(service)
    assert "\n" not in str(refused.value)
    assert text_of(service / "a.txt") == NINE


def test_baseline_is_stable(small: Path, service: Path, tmp_path: Path) -> None:
    """The same rendering is remembered in the same bytes."""
    create(Answers(service_name="order-service"), tmp_path / "twin", template=small)

    assert (service / BASELINE).read_bytes() == (tmp_path / "twin" / BASELINE).read_bytes()
    assert json.loads((service / BASELINE).read_text())["files"] == {"a.txt": NINE, "b.txt": NINE}


def edited(service: Path) -> None:
    """Do to a service what people do: a route, a setting, a dependency, a file less and a file more."""
    routes = service / "app/routes/external.py"
    routes.write_text(routes.read_text() + '\n\n@router.get("/count")\nasync def count() -> int:\n    return 1\n')
    settings = service / "app/settings.py"
    settings.write_text(settings.read_text().replace("\n\n\nsettings =", "\n    FEED: str = ''\n\n\nsettings ="))
    (service / "AGENTS.md").unlink()
    (service / "app/feed.py").write_text("FEED = 1\n")


def older_template(tmp_path: Path) -> Path:
    """Return a template as it may have been: without a file, with another manifest, another health check."""
    folder = tmp_path / "older"
    subprocess.run(["cp", "-r", str(TEMPLATE), str(folder)], check=True)
    (folder / "template/.dockerignore.jinja").unlink()
    for name, new, old in (
        ("k8s/service.yaml", "{{ manifest }}", "{{ manifest | replace('replicas: 2', 'replicas: 1') }}"),
        ("Dockerfile", "timeout=2", "timeout=1"),
        ("app/routes/external.py", "Create an item of the caller", "Create an item"),
    ):
        path = folder / "template" / f"{name}.jinja"
        text = path.read_text()
        assert new in text
        path.write_text(text.replace(new, old))
    return folder


def test_real_template(tmp_path: Path, run: Run) -> None:
    """The template of today comes into an edited service of an older one, with every edit, and exit code 0."""
    folder = tmp_path / "order-service"
    create(Answers(service_name="order-service"), folder, template=older_template(tmp_path))
    edited(folder)
    shown = run("new", "--update", "--dry-run", cwd=folder)
    before = text_of(folder / "Dockerfile")
    done = run("new", "--update", cwd=folder)
    again = run("new", "--update", cwd=folder)
    routes = text_of(folder / "app/routes/external.py") or ""

    assert (shown.returncode, done.returncode, again.returncode) == (0, 0, 0)
    assert {"added     .dockerignore", "updated   Dockerfile", "merged    app/routes/external.py"} <= {
        row.partition("  (")[0] for row in done.stdout.splitlines()
    }
    assert [row for row in shown.stdout.splitlines() if "  (" in row] == [
        row for row in done.stdout.splitlines() if "  (" in row
    ]
    assert "timeout=1" in (before or "")
    assert "timeout=2" in (text_of(folder / "Dockerfile") or "")
    assert "Create an item of the caller" in routes
    assert '@router.get("/count")' in routes
    assert not (folder / "AGENTS.md").exists()
    assert text_of(folder / "app/feed.py") == "FEED = 1\n"
    assert "already" in again.stdout


def test_conflict_is_shown(tmp_path: Path, run: Run) -> None:
    """A conflict is exit code 1, with the file, the number of places and the command that finds them."""
    folder = tmp_path / "order-service"
    create(Answers(service_name="order-service"), folder, template=older_template(tmp_path))
    manifest = folder / "k8s/service.yaml"
    manifest.write_text(manifest.read_text().replace("replicas: 1", "replicas: 7"))
    done = run("new", "--update", cwd=folder)

    assert done.returncode == 1
    assert "conflict  k8s/service.yaml  (1 place marked with <<<<<<<)" in done.stdout
    assert "grep -rn '<<<<<<<' ." in done.stdout
    assert "replicas: 7" in manifest.read_text()
    assert "replicas: 2" in manifest.read_text()


@pytest.mark.skipif("grpc" not in PARTS, reason="this version has no mysingle.grpc")
def test_further_parts(make_service: Callable[..., Path], run: Run) -> None:
    """An update can bring a part that the service did not have, with the stubs of its protos."""
    folder = make_service()
    done = run("new", "--update", "--grpc", cwd=folder)

    assert done.returncode == 0
    assert (folder / "app/grpc_server.py").is_file()
    assert (folder / "app/protos/order/v1/order_pb2.py").is_file()
    assert "grpc_server=" in (text_of(folder / "app/main.py") or "")
