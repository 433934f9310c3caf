"""What a commit message says."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle.tooling.version._conventional import Footer, Message, parse_message

SHA, OTHER = "a" * 40, "b1234567"

GIT_REVERT = f'Revert "feat: x"\n\nThis reverts commit {SHA}.'
CASES = {
    "plain": ("fix: it", "fix", None, None),
    "scope": ("fix(api): it", "fix", "api", None),
    "scope-words": ("fix(api, web): it", "fix", "api, web", None),
    "upper": ("FIX: it", "fix", None, None),
    "mark": ("feat!: it", "feat", None, "it"),
    "scope-mark": ("feat(api)!: it", "feat", "api", "it"),
    "mark-before-scope": ("feat!(api): it", None, None, None),
    "no-space": ("fix:it", None, None, None),
    "no-description": ("fix: ", None, None, None),
    "space-before": ("fix : it", None, None, None),
    "empty-scope": ("fix(): it", None, None, None),
    "two-words": ("quick fix: it", None, None, None),
    "footer": ("fix: it\n\nBREAKING CHANGE: gone", "fix", None, "gone"),
    "footer-dash": ("fix: it\n\nBREAKING-CHANGE: gone", "fix", None, "gone"),
    "footer-hash": ("fix: it\n\nBREAKING CHANGE #gone", "fix", None, "gone"),
    "footer-lower": ("fix: it\n\nbreaking change: gone", "fix", None, None),
    "footer-after-body": ("fix: it\n\nwhy\n\nReviewed-by: Z\nBREAKING CHANGE: gone", "fix", None, "gone"),
    "body": ("fix: it\n\nwhy\nBREAKING CHANGE: gone\nfor\ngood\n\nmore", "fix", None, "gone for good"),
    "body-next-line": ("fix: it\n\nBREAKING CHANGE:\n\ngone", "fix", None, "gone"),
    "mark-and-footer": ("fix!: it\n\nBREAKING CHANGE: gone", "fix", None, "gone"),
    "note-ends-at-footer": ("fix: it\n\nBREAKING CHANGE: gone\nRefs: #1", "fix", None, "gone"),
    "inside-a-line": ("fix: it\n\nno BREAKING CHANGE: here", "fix", None, None),
    "unconventional": ("Rewrite\n\nBREAKING CHANGE: gone", None, None, "gone"),
    "crlf": ("feat(api): it\r\n\r\nBREAKING CHANGE: gone\r\n", "feat", "api", "gone"),
    "unicode": ("feat(시세): 더 많은 호가\n\nBREAKING CHANGE: 없음", "feat", "시세", "없음"),
    "merge": ("Merge branch 'feat: x'", None, None, None),
    "empty": ("", None, None, None),
    "git-revert": (GIT_REVERT, "revert", None, None),
}


@pytest.mark.parametrize(("text", "kind", "scope", "breaking"), CASES.values(), ids=CASES)
def test_cases(text: str, kind: str | None, scope: str | None, breaking: str | None) -> None:
    """Type, scope and what breaks are read as the convention says."""
    message = parse_message(text)

    assert (kind, scope, breaking) == (message.type, message.scope, message.breaking)


@pytest.mark.parametrize(
    ("text", "reverts"),
    [
        pytest.param(GIT_REVERT, (SHA,), id="git"),
        pytest.param(f"revert: feat: x\n\nThis reverts commit {OTHER}.", (OTHER,), id="typed"),
        pytest.param(f"revert: two\n\nRefs: {SHA[:7]}, {OTHER}", (SHA[:7], OTHER), id="refs"),
        pytest.param(f"fix: x\n\nThis reverts commit {SHA}.", (), id="not-a-revert"),
        pytest.param(f"docs: x\n\nRefs: {OTHER}", (), id="refs-of-another-type"),
        pytest.param(f'Reapply "feat: x"\n\nThis reverts commit {OTHER}.', (OTHER,), id="reapply"),
    ],
)
def test_reverts(text: str, reverts: tuple[str, ...]) -> None:
    """A commit takes back those that it names, when taking back is what it does."""
    assert reverts == parse_message(text).reverts


def test_footers() -> None:
    """Footers begin after a blank line; their values may go on, and the body is what stands above."""
    message = parse_message(
        "fix: it\n\nNote: this is body\nstill\n\nplain\n\nReviewed-by: Z\nRefs #133\nLong: one\n two"
    )

    assert message.body == "Note: this is body\nstill\n\nplain"
    assert message.footers == (Footer("Reviewed-by", "Z"), Footer("Refs", "#133"), Footer("Long", "one\n two"))


WORD = st.text(string.ascii_lowercase, min_size=1, max_size=8)
LINE = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Zs"), blacklist_characters="\x85"), min_size=1
)
TOKEN = st.sampled_from(["Reviewed-by", "Refs", "Acked-by", "Signed-off-by"])


@given(
    kind=WORD,
    scope=st.none() | WORD,
    mark=st.booleans(),
    description=LINE,
    body=st.none() | WORD,
    footers=st.lists(st.tuples(TOKEN, WORD), max_size=3),
    note=st.none() | WORD,
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_round_trip(
    kind: str,
    scope: str | None,
    mark: bool,
    description: str,
    body: str | None,
    footers: list[tuple[str, str]],
    note: str | None,
    ending: str,
) -> None:
    """A message that is composed by the rules is read as what it was composed of, with any line ending."""
    header = f"{kind}{f'({scope})' if scope else ''}{'!' if mark else ''}: {description}"
    lines = [f"{token}: {value}" for token, value in footers] + ([f"BREAKING CHANGE: {note}"] if note else [])
    text = "\n\n".join([header, *([body] if body else []), *(["\n".join(lines)] if lines else [])])
    expected = [Footer(*footer) for footer in footers] + ([Footer("BREAKING CHANGE", note)] if note else [])
    message = parse_message(text.replace("\n", ending))

    assert (kind, scope, description) == (message.type, message.scope, message.description)
    assert (body or "", tuple(expected)) == (message.body, message.footers)
    assert message.breaking == (note or (description if mark else None))


@given(st.text())
def test_every_text_is_a_message(text: str) -> None:
    """No text is an error, and what has a type begins with it."""
    message = parse_message(text)

    assert isinstance(message, Message)
    if message.type not in (None, "revert"):
        assert re.match(r"[\w-]+", text.strip("\r\n").lstrip())
    assert (message.breaking is None) or message.breaking.strip()
