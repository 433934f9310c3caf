"""What is done with a submodule: each step can be done again, and nothing that is in no remote is left."""

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from mysingle.tooling.git import Git, GitError
from mysingle.tooling.submodule.checkout import Checkout, SubmoduleError, newest_release
from mysingle.tooling.version import is_conventional

__all__ = ["Sent", "Workflow"]

_MODULES = ".gitmodules"
_SLUG = re.compile(r"[^a-z0-9]+")
_MAX_SLUG = 40
_CHANGES_SHOWN = 20
_EXAMPLE = "such as 'fix(auth): accept the new header'"


class Sent(NamedTuple):
    """A branch with changes for the package's repository."""

    branch: str
    commit: str
    is_pushed: bool


class Workflow:
    """Changes a submodule, with a commit in the service for each change of version."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._parent = checkout.parent

    def add(self, url: str, to: str | None = None) -> str:
        """
        Add the submodule at a release, and commit it; return the tag. One that is there already stays as it is.

        Raises:
            SubmoduleError, GitError: it was not added, and nothing is left of the try.
        """
        checkout = self._checkout
        if checkout.recorded():
            return checkout.standing().version or checkout.recorded() or ""
        self._check_branch()
        tag = _choose(_remote_tags(self._parent, checkout.resolved(url)), to, url)
        is_new = checkout.staged() is None
        if is_new:
            self._clone(url)
        elif checkout.is_checked_out() and not checkout.is_half_checked_out():
            checkout.check_nothing_is_lost()
        try:
            checkout.git.run("checkout", "--quiet", "--force", "--detach", f"refs/tags/{tag}")
            self._parent.run("add", _MODULES, checkout.path)
            self._commit(f"build: add mysingle {tag} as a submodule", _MODULES, checkout.path)
        except BaseException:
            if is_new:
                self._remove()
            raise
        return tag

    def _clone(self, url: str) -> None:
        checkout = self._checkout
        leftover = self._parent.path(f"modules/{checkout.path}")
        if checkout.is_checked_out() and leftover.is_dir() and not _is_clean(checkout):
            raise SubmoduleError(f"{checkout.path} is left from another try, and was changed: move it away")
        if not checkout.is_checked_out() and checkout.folder.is_dir() and any(checkout.folder.iterdir()):
            raise SubmoduleError(f"{checkout.path} exists already, and is no submodule: move it away")
        if self._parent.accepts("check-ignore", "--quiet", "--no-index", "--", checkout.path):
            raise SubmoduleError(
                f"{checkout.path} is ignored by a .gitignore: take that line out, or choose another --path"
            )
        if self._parent.line("status", "--porcelain", "--", _MODULES):
            raise SubmoduleError(
                f"{_MODULES} was changed and not committed: commit it, or run `git restore {_MODULES}`"
            )
        if leftover.is_dir():
            shutil.rmtree(leftover)
            shutil.rmtree(checkout.folder, ignore_errors=True)
        try:
            self._parent.run("submodule", "--quiet", "add", "--", url, checkout.path)
        except BaseException:
            self._remove()
            raise

    def _remove(self) -> None:
        """Take back what this run has added; nobody has worked in it yet."""
        checkout = self._checkout
        self._parent.accepts("rm", "--quiet", "--force", "--cached", "--", checkout.path)
        self._parent.accepts("rm", "--quiet", "--force", "--cached", "--", _MODULES)
        if not self._parent.accepts("checkout", "--quiet", "HEAD", "--", _MODULES):
            (checkout.root / _MODULES).unlink(missing_ok=True)
        self._parent.accepts("config", "--remove-section", f"submodule.{checkout.path}")
        _remove_tree(checkout.folder, checkout.root)
        _remove_tree(self._parent.path(f"modules/{checkout.path}"), self._parent.path("modules"))

    def update(self, to: str | None = None) -> str:
        """
        Bring the submodule to a release, the newest one by default, and commit that in the service; return the tag.

        Works in a clone that was made without its submodules.

        Raises:
            SubmoduleError: something would be lost, or there is no such release. GitError: the remote is away.
        """
        checkout = self._checkout
        self._check_present()
        self._check_branch()
        if not checkout.is_checked_out():
            self._parent.run("submodule", "--quiet", "update", "--init", "--", checkout.path)
        checkout.check_nothing_is_lost()
        self._check_origin()
        checkout.fetch()
        tag = _choose(checkout.releases(), to, checkout.url() or "the remote")
        before, after = checkout.recorded(), checkout.git.run("rev-parse", f"refs/tags/{tag}^{{commit}}").strip()
        if before and to is None and not checkout.git.accepts("merge-base", "--is-ancestor", before, after):
            raise SubmoduleError(
                f"{checkout.path} is at a commit that {tag} does not have: name the release with --to to leave it"
            )
        with self._as_before():
            checkout.git.run("checkout", "--quiet", "--detach", f"refs/tags/{tag}")
            if after != before:
                self._parent.run("add", "--", checkout.path)
                self._commit(f"build: update mysingle to {tag}\n\n{self._news(before, after)}", checkout.path)
        return tag

    @contextlib.contextmanager
    def _as_before(self) -> Iterator[None]:
        """Bring back what was checked out and staged when a step in between fails, such as a hook of the service."""
        checkout, git = self._checkout, self._checkout.git
        staged = checkout.staged()
        place = git.line("symbolic-ref", "--quiet", "--short", "HEAD") or git.run("rev-parse", "HEAD").strip()
        try:
            yield
        except BaseException:
            git.accepts("checkout", "--quiet", place)
            if staged is not None:
                self._parent.accepts("update-index", "--cacheinfo", f"160000,{staged},{checkout.path}")
            raise

    def plan_update(self, to: str | None = None) -> str:
        """Return the tag that an update would take; nothing is changed, and what is known here counts."""
        self._check_present()
        checkout = self._checkout
        if not checkout.is_checked_out():
            url = checkout.resolved(checkout.url() or "")
            return _choose(_remote_tags(self._parent, url), to, checkout.url() or "the remote")
        checkout.check_nothing_is_lost()
        self._check_origin()
        remote = checkout.remote()
        return _choose(_remote_tags(checkout.git, remote), to, remote)

    def plan_add(self, url: str, to: str | None = None) -> str:
        """Return the tag that would be added; nothing is changed."""
        return _choose(_remote_tags(self._parent, self._checkout.resolved(url)), to, url)

    def sync(self, message: str | None = None, branch: str | None = None, *, pushes: bool = False) -> Sent | None:
        """
        Put local changes of the submodule on a branch of their own, as one commit, for a pull request.

        Changes need a message; commits that are there already need none. A branch that was made before goes on.

        Returns:
            What is on the branch; None when there are no changes and no commits to give back.

        Raises:
            SubmoduleError: the message is missing or does not follow the convention, or the branch exists.
        """
        checkout = self._checkout
        self._check_present()
        if not checkout.is_checked_out():
            raise SubmoduleError(
                f"{checkout.path} is not checked out, so it has no changes: `git submodule update --init`"
            )
        changes, git = checkout.changes(), checkout.git
        if not changes and not checkout.unpushed():
            return None
        if changes and message is None:
            raise SubmoduleError(f"{checkout.path} has changes: say with -m what they do, {_EXAMPLE}")
        if message is not None and not is_conventional(message):
            raise SubmoduleError(f"{message!r} is no commit message {_EXAMPLE}")
        subject = message or git.run("log", "-1", "--format=%s")
        chosen = self._switch(_branch_name(checkout.root.name, subject), branch)
        if changes:
            git.run("add", "--all")
            git.run("commit", "--quiet", "--file=-", given=f"{message}\n")
        if pushes:
            git.run("push", "--quiet", "--set-upstream", checkout.remote(), f"HEAD:refs/heads/{chosen}")
        return Sent(chosen, git.run("rev-parse", "HEAD").strip(), pushes)

    def _switch(self, usual: str, wanted: str | None) -> str:
        """Make the branch; whoever is on one of the service's, or on one that only this clone has, stays there."""
        git, branch = self._checkout.git, wanted or usual
        current = git.line("symbolic-ref", "--quiet", "--short", "HEAD") or ""
        remote = f"refs/remotes/{self._checkout.remote()}/{current}"
        is_local = bool(current) and not git.accepts("rev-parse", "--verify", "--quiet", remote)
        is_ours = current.startswith(f"{usual.partition('/')[0]}/") and wanted is None
        if is_ours or current == branch or (is_local and wanted is None):
            return current
        if git.accepts("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"):
            raise SubmoduleError(f"the branch {branch} exists already: name another one with --branch")
        git.run("switch", "--quiet", "--create", branch)
        return branch

    def _check_present(self) -> None:
        checkout = self._checkout
        if checkout.url() is None:
            raise SubmoduleError(
                f"{checkout.path} is no submodule of {checkout.root.name}: run `mysingle submodule add`"
            )
        if checkout.is_in_conflict():
            raise SubmoduleError(
                f"{checkout.path} is in conflict after a merge: check out the commit that is right in it, "
                f"run `git add {checkout.path}`, and end the merge"
            )

    def _check_origin(self) -> None:
        """Take releases only from where a fresh clone of the service would get them."""
        origin = self._checkout.other_origin()
        if origin is not None:
            raise SubmoduleError(
                f"{self._checkout.path} comes from {origin}, and {_MODULES} says {self._checkout.url()}: "
                f"run `git submodule sync {self._checkout.path}`, or correct {_MODULES}"
            )

    def _check_branch(self) -> None:
        if self._parent.line("rev-parse", "--verify", "--quiet", "HEAD") is None:
            raise SubmoduleError(f"{self._checkout.root.name} has no commits yet: make the first one")
        if not self._parent.accepts("symbolic-ref", "--quiet", "HEAD"):
            raise SubmoduleError("no branch is checked out (detached HEAD): run `git switch <branch>` first")
        if self._parent.path("MERGE_HEAD").exists():
            raise SubmoduleError("a merge has not ended: commit it, or run `git merge --abort`")

    def _commit(self, message: str, *paths: str) -> None:
        """Commit these paths only; what else is staged stays staged."""
        self._parent.run("commit", "--quiet", "--only", "--file=-", "--", *paths, given=message)

    def _news(self, before: str | None, after: str) -> str:
        """Return what came with an update: the subjects of its commits, the newest first."""
        if before is None:
            return ""
        lines = self._checkout.git.run("log", "--no-merges", "--format=- %s", f"{before}..{after}").splitlines()
        more = len(lines) - _CHANGES_SHOWN
        return "\n".join([*lines[:_CHANGES_SHOWN], *([f"- and {more} more"] if more > 0 else [])])


def _remove_tree(folder: Path, top: Path) -> None:
    """Remove a folder, and the empty ones that were around it."""
    shutil.rmtree(folder, ignore_errors=True)
    for around in folder.parents:
        if around == top or not around.is_relative_to(top) or any(around.iterdir()):
            return
        around.rmdir()


def _remote_tags(git: Git, url: str) -> tuple[str, ...]:
    lines = git.run("ls-remote", "--tags", "--refs", url).splitlines()
    return tuple(line.partition("\t")[2].removeprefix("refs/tags/") for line in lines)


def _choose(tags: Iterable[str], wanted: str | None, place: str) -> str:
    known = tuple(tags)
    newest = newest_release(known)
    if wanted is None and newest is None:
        raise SubmoduleError(f"{place} has no release tags such as v1.2.3: name a tag with --to")
    spellings = (wanted, f"v{wanted}") if wanted else (newest,)
    found = next((tag for tag in spellings if tag in known), None)
    if found is None:
        raise SubmoduleError(f"{place} has no tag {wanted}; the newest release is {newest or 'none'}")
    return found


def _is_clean(checkout: Checkout) -> bool:
    try:
        return not checkout.changes() and not checkout.unpushed()
    except GitError:
        return False


def _branch_name(service: str, message: str) -> str:
    subject = message.partition("\n")[0].lower()
    return f"{_SLUG.sub('-', service.lower()).strip('-')}/{_SLUG.sub('-', subject)[:_MAX_SLUG].strip('-')}"
