"""Imports: modules that moved, names that are called differently, and stand-ins for what is gone."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import libcst as cst
from libcst.metadata import Assignment, ImportAssignment, ScopeProvider

from mysingle._kernel.old_names import GONE, RENAMED
from mysingle.tooling.migrate._project import Place, Project, exported, resolve
from mysingle.tooling.migrate._stand_ins import Statement, stand_in
from mysingle.tooling.migrate._statements import (
    are_same,
    header_of,
    import_statement,
    in_one_line,
    leftmost,
    listed_names,
    local_name,
    lost_comments,
    name_of,
    our_module,
    path_node,
    same_name,
    split_path,
    with_commas,
    with_comments_once,
)
from mysingle.tooling.migrate._step import ROOTS, Step, dotted, removed, text_of

__all__ = ["Imports"]


_Line: TypeAlias = cst.SimpleStatementLine | cst.SimpleStatementSuite


class _Kept(NamedTuple):
    """One name of an import statement, where it comes from now."""

    module: str
    alias: cst.ImportAlias


class Imports(Step):
    """Rewrite every import of ours, and the uses of what has another name now."""

    trigger = re.compile(rf"\b({'|'.join(ROOTS)})\b")

    def __init__(self, project: Project, *, is_package: bool) -> None:
        super().__init__(project, is_package=is_package)
        self.candidates: set[str] = set()
        self._listed: set[str] = set()
        self._assignments: dict[str, list[Assignment]] = {}
        self._renames: dict[cst.CSTNode, str] = {}
        self._texts: dict[cst.CSTNode, tuple[str, str]] = {}
        self._standing: set[str] = set()
        self._helpers: list[Statement] = []
        self._seen: dict[tuple[str, str, str], bool] = {}
        self._before: dict[cst.CSTNode, list[Statement]] = {}
        self._after: dict[cst.CSTNode, list[Statement]] = {}
        self._header: list[cst.CSTNode] = []

    def visit_Module(self, node: cst.Module) -> bool | None:
        """Collect what is imported, and who uses it."""
        self._listed = set(listed_names(node))
        self._header = header_of(node)
        for scope in self.scopes():
            for assignment in scope.assignments:
                if isinstance(assignment, Assignment):
                    self._assignments.setdefault(assignment.name, []).append(assignment)
        return None

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> cst.ImportFrom:
        """Note what nobody can tell; statements are rewritten as a whole, see below."""
        module = our_module(original_node)
        if module is None or isinstance(original_node.names, cst.ImportStar):
            return updated_node
        for alias in original_node.names:
            place = resolve(self.project, module, name_of(alias))
            if not place.is_known and not self._is_unused(original_node, alias):
                what = f"{module}.{name_of(alias)} is not in version 2"
                names = ", ".join(sorted(exported(place.module) or ())) or "no such module"
                self.note(original_node, what, f"{place.module} has: {names}", "imports")
        return updated_node

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.FlattenSentinel[cst.SimpleStatementLine]:
        """Rewrite the imports of one line; names that went to different modules get a line each."""
        parts = self._parts(original_node, updated_node)
        lost = lost_comments(original_node.body, parts)
        parts = with_comments_once(parts)
        if lost:
            updated_node = updated_node.with_changes(leading_lines=[*updated_node.leading_lines, *lost])
        if not parts:
            return removed(updated_node)
        if len(original_node.body) > 1 or len(parts) == 1:
            return updated_node.with_changes(body=in_one_line(parts))
        first = updated_node.with_changes(body=[parts[0]])
        return cst.FlattenSentinel([first, *(cst.SimpleStatementLine([part]) for part in parts[1:])])

    def leave_SimpleStatementSuite(
        self, original_node: cst.SimpleStatementSuite, updated_node: cst.SimpleStatementSuite
    ) -> cst.SimpleStatementSuite:
        """Rewrite the imports that stand behind a colon."""
        parts = self._parts(original_node, updated_node)
        return updated_node.with_changes(body=in_one_line(parts or [cst.Pass()]))

    def _parts(self, original: _Line, updated: _Line) -> list[cst.BaseSmallStatement]:
        pairs = zip(original.body, updated.body, strict=True)
        return [part for before, after in pairs for part in self._rewritten(before, after)]

    def _rewritten(
        self, original: cst.BaseSmallStatement, updated: cst.BaseSmallStatement
    ) -> list[cst.BaseSmallStatement]:
        if isinstance(original, cst.ImportFrom) and (module := our_module(original)) is not None:
            return list(self._from(original, module))
        if isinstance(original, cst.ImportFrom):
            return self._without_unused(original)
        if isinstance(original, cst.Import):
            return self._import(original)
        return [updated]

    def _from(self, node: cst.ImportFrom, module: str) -> Iterator[cst.BaseSmallStatement]:
        """Return the statements that take the place of `from module import ...`."""
        if isinstance(node.names, cst.ImportStar):
            yield self._star(node, module)
            return
        groups: dict[str, list[cst.ImportAlias]] = {}
        is_top = self._top(node) is self.parent(node)
        for kept in self._kept(node, node.names, module):
            same = groups.setdefault(kept.module, [])
            key = (kept.module, name_of(kept.alias), local_name(kept.alias))
            is_changed = kept.module != module or kept.alias not in node.names
            seen = self._seen if is_top else {}
            if any(same_name(kept.alias, item) for item in same) or (key in seen and (is_changed or seen[key])):
                continue
            same.append(kept.alias)
            if is_top:
                self._seen[key] = is_changed
        for place, aliases in ((place, aliases) for place, aliases in groups.items() if aliases):
            if place == module and len(aliases) == len(node.names) and are_same(aliases, node.names):
                yield node
            else:
                yield import_statement(node, place, aliases, is_whole=sum(map(bool, groups.values())) == 1)

    def _star(self, node: cst.ImportFrom, module: str) -> cst.ImportFrom:
        target = self.project.module(module)
        if exported(target) is None and exported(".".join(target.split(".")[:2])) is not None:
            target = ".".join(target.split(".")[:-1])
        return node if target == module else node.with_changes(module=path_node(target))

    def _kept(self, node: cst.ImportFrom, aliases: Sequence[cst.ImportAlias], module: str) -> Iterator[_Kept]:
        for alias in aliases:
            place = resolve(self.project, module, name_of(alias))
            if self._is_unused(node, alias):
                continue
            if place.gone is not None:
                self._stand_in(node, alias, place)
            elif place.name != name_of(alias):
                yield _Kept(place.module, self._renamed(node, alias, place))
            else:
                yield _Kept(place.module, alias)

    def _is_unused(self, node: cst.CSTNode, alias: cst.ImportAlias) -> bool:
        """Tell whether a step has removed the last use of a name."""
        local = local_name(alias)
        is_public = local in self._listed or self.is_package
        return local in self.candidates and not is_public and not self._uses(node, local)

    def _without_unused(self, node: cst.ImportFrom) -> list[cst.BaseSmallStatement]:
        if isinstance(node.names, cst.ImportStar):
            return [node]
        kept = [alias for alias in node.names if not self._is_unused(node, alias)]
        if len(kept) == len(node.names):
            return [node]
        return [node.with_changes(names=with_commas(kept, node.names))] if kept else []

    def _uses(self, node: cst.CSTNode, local: str) -> list[cst.CSTNode]:
        """Return the places that use a name which this statement imports."""
        found: list[cst.CSTNode] = []
        for assignment in self._assignments.get(local, ()):
            if isinstance(assignment, ImportAssignment) and assignment.node is node:
                found += [access.node for access in assignment.references]
        return found

    def _renamed(self, node: cst.ImportFrom, alias: cst.ImportAlias, place: Place) -> cst.ImportAlias:
        """Rename the uses too, unless other modules may know the old name or the new one is taken."""
        local, name = local_name(alias), cst.Name(place.name)
        taken = [item for item in self._assignments.get(place.name, ()) if not self._is_from(item, place.module)]
        if alias.asname is not None:
            return alias.with_changes(name=name)
        if taken or local in self._listed or self.is_package:
            if local in self._listed or self.is_package:
                why = "other modules import it under the old name; rename it there too"
                self.note(node, f"{local} is {place.module}.{place.name} now", why, "imports")
            as_old = cst.AsName(cst.Name(local), cst.SimpleWhitespace(" "), cst.SimpleWhitespace(" "))
            return alias.with_changes(name=name, asname=as_old)
        for use in self._uses(node, local):
            self._renames[leftmost(use)] = place.name
            self._texts[use] = (local, place.name)
        return alias.with_changes(name=name)

    def _is_from(self, assignment: Assignment, module: str) -> bool:
        node = assignment.node
        if not isinstance(node, cst.ImportFrom) or (found := our_module(node)) is None:
            return False
        if isinstance(node.names, cst.ImportStar):
            return False
        names = [alias for alias in node.names if local_name(alias) == assignment.name]
        return any(resolve(self.project, found, name_of(alias)).module == module for alias in names)

    def _stand_in(self, node: cst.ImportFrom, alias: cst.ImportAlias, place: Place) -> None:
        """Put something in the place of a name that is gone, when the module uses it or gives it on."""
        local = local_name(alias)
        uses = [use for use in self._uses(node, local) if not self._is_way(use)]
        assert place.gone is not None
        if not uses and local not in self._listed and not self.is_package:
            return
        for use in uses:
            self.note(use, f"{name_of(alias)} was removed", place.gone.advice, place.gone.section)
        top = self._top(node)
        where = self._header[-1] if top in self._header else top
        new = self._standing_for(local, place, uses)
        if new and where is top and top not in self._header:
            new[0] = new[0].with_changes(
                leading_lines=[cst.EmptyLine(indent=False)] * 2 + list(new[0].leading_lines[2:])
            )
        self._after.setdefault(where, []).extend(new)

    def _is_way(self, use: cst.CSTNode) -> bool:
        """Tell whether a use of a module only leads to a name for which there is a stand-in."""
        parent = self.parent(use)
        return isinstance(parent, cst.Attribute) and parent.value is use and parent.attr.value in (*GONE, *RENAMED)

    def _standing_for(self, local: str, place: Place, uses: Sequence[cst.CSTNode]) -> list[Statement]:
        """Return the statements that define a stand-in, unless the module has one already."""
        if local in self._standing:
            return []
        self._standing.add(local)
        around = [self.parent(use) for use in uses]
        elsewhere = {member: member.lower() for member in self.project.members(local)}
        found = stand_in(local, place, elsewhere | dict(pair for item in around for pair in _members(item)))
        new = [item for item in found if not any(item.deep_equals(other) for other in self._helpers)]
        self._helpers += found[:-1]
        return new

    def _top(self, node: cst.CSTNode) -> cst.CSTNode:
        """Return the statement of the module in which a node stands."""
        parent = self.parent(node)
        while not isinstance(parent, cst.Module):
            node, parent = parent, self.parent(parent)
        return node

    def _import(self, node: cst.Import) -> list[cst.BaseSmallStatement]:
        """Rewrite `import a.b, c.d as e`; a part whose module is gone goes."""
        kept: list[cst.ImportAlias] = []
        for alias in node.names:
            path = dotted(alias.name)
            if path.split(".")[0] not in ROOTS:
                kept.append(alias)
                continue
            target = self.project.module(path)
            while exported(target) is None and target.count(".") > 1 and exported(".".join(target.split(".")[:2])):
                target = target.rpartition(".")[0]
            if resolve(self.project, *split_path(path)).gone is None:
                kept.append(alias if target == path else alias.with_changes(name=path_node(target)))
        if len(kept) == len(node.names):
            return [
                node if all(a is b for a, b in zip(kept, node.names, strict=True)) else node.with_changes(names=kept)
            ]
        return [node.with_changes(names=with_commas(kept, node.names))] if kept else []

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        """Rewrite `mysingle.base.BaseDocument` and `alias.old_name`."""
        path = self.imported(original_node)
        if path is None or path.split(".")[0] not in ROOTS:
            return updated_node
        if dotted(original_node) == path and self.project.module(path) != path and not self._is_inner(original_node):
            return self._spelled_out(original_node, path)
        module, name = split_path(path)
        if name in RENAMED or name in GONE:
            return self._member(original_node, updated_node, resolve(self.project, module, name))
        return updated_node

    def _is_inner(self, node: cst.Attribute) -> bool:
        """Tell whether a longer dotted name with the same path stands around this one."""
        parent = self.parent(node)
        return isinstance(parent, cst.Attribute) and parent.value is node and self.imported(parent) is not None

    def _spelled_out(self, node: cst.Attribute, path: str) -> cst.BaseExpression:
        module, name = split_path(path)
        place = resolve(self.project, module, name)
        return self._member(node, path_node(self.project.module(path)), place)

    def _is_same(self, item: cst.CSTNode, node: cst.CSTNode) -> bool:
        return isinstance(item, type(node)) and self.imported(item) == self.imported(node)

    def _member(self, node: cst.CSTNode, updated: cst.BaseExpression, place: Place) -> cst.BaseExpression:
        if place.gone is not None:
            self.note(node, f"{place.name} was removed", place.gone.advice, place.gone.section)
            same = [item for item in self.facts(ScopeProvider) if self._is_same(item, node)]
            new = self._standing_for(place.name, place, same)
            self._before.setdefault(self._top(node), []).extend(new)
            return cst.Name(place.name)
        is_same = isinstance(node, cst.Attribute) and place.name == node.attr.value
        return updated if is_same else self.need(f"{place.module}.{place.name}")

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        """Rename a use; a name that came with a star is imported by itself."""
        new = self._renames.get(original_node)
        if new is not None:
            return updated_node.with_changes(value=new)
        star = self.from_star(original_node)
        if star is None:
            return updated_node
        place = resolve(self.project, *split_path(star))
        is_old = place.gone is not None or place.name != original_node.value
        return self._member(original_node, updated_node, place) if is_old else updated_node

    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> cst.SimpleString:
        """Rename a use inside of an annotation that is text."""
        new = self._texts.get(original_node)
        if new is None:
            return updated_node
        return updated_node.with_changes(value=re.sub(rf"\b{re.escape(new[0])}\b", new[1], updated_node.value))

    def on_leave(self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT) -> Any:
        """Put the stand-ins before or after the statement of the module that asked for them."""
        result = super().on_leave(original_node, updated_node)
        before, after = self._before.pop(original_node, []), self._after.pop(original_node, [])
        if not before and not after:
            return result
        inner = result if isinstance(result, cst.FlattenSentinel) else [result]
        return cst.FlattenSentinel([*before, *inner, *after])


def _members(node: cst.CSTNode) -> Iterator[tuple[str, str]]:
    """Yield the member that `Status.DONE`, `Status["DONE"]` or `Status("done")` needs, and its value."""
    if isinstance(node, cst.Attribute) and node.attr.value.isupper():
        yield node.attr.value, node.attr.value.lower()
    if isinstance(node, cst.Subscript) and isinstance(index := node.slice[0].slice, cst.Index):
        name = text_of(index.value)
        if name is not None and name.isidentifier():
            yield name, name.lower()
    if isinstance(node, cst.Call) and len(node.args) == 1:
        value = text_of(node.args[0].value)
        if value is not None and value.isidentifier():
            yield value.upper(), value
