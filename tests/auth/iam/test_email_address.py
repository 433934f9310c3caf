import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mysingle.auth.iam._email_address import deliverable, normalize

FORMS = [
    ("a@x.com", "a@x.com", "a@x.com"),
    ("A@X.com", "A@x.com", "a@x.com"),
    ("  a@x.com\t", "a@x.com", "a@x.com"),
    ("First.Last+tag@Example.COM", "First.Last+tag@example.com", "first.last+tag@example.com"),
    ("\uff41@\uff58\uff0e\uff43\uff4f\uff4d", "a@x.com", "a@x.com"),
    ("user@почта.рф", "user@почта.рф", "user@xn--80a1acny.xn--p1ai"),
    ("user@xn--80a1acny.xn--p1ai", "user@почта.рф", "user@xn--80a1acny.xn--p1ai"),
    ("USER@ПОЧТА.РФ", "USER@почта.рф", "user@xn--80a1acny.xn--p1ai"),
    ("사용자@example.com", "사용자@example.com", "사용자@example.com"),
    ("Ünal@example.com", "Ünal@example.com", "ünal@example.com"),
    ("u\u0308nal@example.com", "ünal@example.com", "ünal@example.com"),
]


@pytest.mark.parametrize(("email", "display", "key"), FORMS)
def test_forms(email: str, display: str, key: str) -> None:
    """D09: spellings of one address have one key, with the domain in punycode."""
    assert (display, key) == normalize(email)


@pytest.mark.parametrize(
    "email",
    [
        "Name <a@x.com>", "<a@x.com>", '"a b"@x.com', "a@x.com, b@x.com", "a@[127.0.0.1]", "a@localhost", "", "@", "a@",
        "@x.com", "a b@x.com", "a@x..com", ".a@x.com", "a.@x.com", "a@-x.com", "a@x.com\nBcc: b@x.com", "a\x00@x.com",
        "a@x.com\u200b", "\ud800@x.com", "a@\ud800.com", "x" * 65 + "@x.com", "a@" + "x" * 250 + ".com",
        "mailto:a@x.com?x",
        "stra\u00dfe@x.com", "a@x.com;b@x.com", "(comment)a@x.com",
    ],
)  # fmt: skip
def test_refused(email: str) -> None:
    """D09: what is no plain address is refused, and the message does not repeat it."""
    with pytest.raises(ValueError, match="address") as caught:
        normalize(email)

    assert len(email) < 2 or email not in str(caught.value)


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    """Any text is an address or a ValueError."""
    try:
        address = normalize(text)
    except ValueError:
        return
    assert address.key.count("@") == 1


@given(
    st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=20),
    st.sampled_from(["example.com", "почта.рф", "bücher.example", "example.co.kr"]),
)
def test_stable(local: str, domain: str) -> None:
    """The key of an address is the key of its display form, of its own spelling and of its case."""
    try:
        address = normalize(f"{local}@{domain}")
    except ValueError:
        assume(False)
    ascii_domain = address.key.rpartition("@")[2]

    assert address == normalize(address.display)
    assert address.key == normalize(address.key).key
    assert ascii_domain.isascii()


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        ("a@example.com", "a@example.com"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("ä@bücher.example", "ä@xn--bcher-kva.example"),
    ],
)
def test_deliverable(email: str, expected: str) -> None:
    """Mail goes to the ASCII form of a domain: not every server takes another one."""
    assert deliverable(normalize(email).display) == expected


@pytest.mark.parametrize("email", ["ßé@example.com", "aßé@example.com", "ß@example.com"])
def test_folding_makes_no_other_mailbox(email: str) -> None:
    """An address whose key would be the key of another mailbox, such as `ssé` for `ßé`, is refused."""
    with pytest.raises(ValueError, match="too easily"):
        normalize(email)
