import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysingle.auth.iam._common_passwords import common_passwords, is_common
from mysingle.auth.iam._password_policy import is_acceptable, problems, violations

EMAIL = "alice.liddell@wonderland.example"


def codes(password: str, **context: object) -> list[str]:
    return [item.code for item in violations(password, **{"email": EMAIL, **context})]  # type: ignore[arg-type]


def test_list_is_long_enough() -> None:
    """ASVS 6.2.4: the list stands for at least 3000 passwords that are long enough to be used, and refuses each."""
    listed = sorted(common_passwords())

    assert len(listed) >= 3000
    assert all(map(is_common, listed[:: len(listed) // 3000]))


@pytest.mark.parametrize(
    "password",
    [
        "password", "Password1!", "P@ssw0rd", "P@SSW0RD123", "passw0rd", "12345678", "123456789", "87654321",
        "11111111",
        "qwertyui", "qwerty123", "1q2w3e4r", "1qaz2wsx", "zaq12wsx", "iloveyou", "iloveyou2", "sunshine1", "princess",
        "football1", "baseball", "superman", "trustno1", "letmein1", "welcome1", "Welcome2024!", "dragon12",
        "monkey123",
        "michael1", "jennifer", "charlie1", "abcd1234", "abc12345", "asdfghjkl", "qazwsxedc", "zxcvbnm1", "starwars",
        "whatever", "computer", "corvette", "mercedes", "changeme", "change-me", "admin123", "administrator",
        "root1234",
        "aaaaaaaa", "abababab", "abcabcabc", "1212121212", "abcdefgh", "hgfedcba", "19900101", "01-02-1990", "asdfasdf",
        "q1w2e3r4t5", "!@#$%^&*",
        "\uff50\uff41\uff53\uff53word", "pass word", "monkeydragon", "Summer2025!", "passwordpassword",
        "        ", "\u3000" * 12, "\t \t \t \t ",
    ],
)  # fmt: skip
def test_common(password: str) -> None:
    """D10: what is tried first is refused, in any case, with signs for letters and a year behind it."""
    assert "common" in codes(password)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "vXq7-mulberry-tango",
        "kje83nfa",
        "누구도모르는비밀번호입니다",
        "my cat ate 3 blue socks",
        "Tr0ub4dor&3x",
        "x" * 7 + "yzjqkv",
        "mysingle loves unusual teapots",
        "alice fell down that hole",
    ],
)
def test_good(password: str) -> None:
    """ASVS 6.2.5: no rules of composition; what nobody tries first is fine."""
    assert problems(password, email=EMAIL) == ()


@pytest.mark.parametrize(
    ("password", "names"),
    [
        ("alice.liddell", ()),
        ("Alice2026!", ()),
        ("liddell1234", ()),
        ("al1ceL1dde11", ()),
        ("wonderland99", ()),
        (EMAIL, ()),
        ("mysingle2026", ()),
        ("MySingle!!", ()),
        ("mys1ngle#1", ()),
        ("Pleasance1865", ("Alice Pleasance Liddell",)),
        ("tradequant1", ("Quant", "trade")),
    ],
)
def test_personal(password: str, names: tuple[str, ...]) -> None:
    """D10, ASVS 6.2.11: the address, the name and the service make no password."""
    assert "personal" in codes(password, names=names)


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("kje83nf", ["too_short"]),
        ("kje83nfa", []),
        ("kje83nfa" * 16, []),
        ("kje83nfa" * 16 + "x", ["too_long"]),
        ("가나다라" * 32, []),
        ("🔑🗝🚪🏠" * 32, []),
        ("x" * 10_000_000, ["too_long"]),
        ("kje83nfa\ud800", ["not_text"]),
        ("kje83\x00nfa", []),
    ],
    ids=["7", "8", "128", "129", "hangul", "emoji", "10M", "surrogate", "NUL"],
)
def test_form(password: str, expected: list[str]) -> None:
    """D04: 8 to 128 characters of proper text, whatever they are."""
    assert expected == [code for code in codes(password) if code != "common"]


def test_min_length() -> None:
    """A service may ask for more."""
    assert codes("vXq7-mulb-tang", min_length=15) == ["too_short"]
    assert codes("vXq7-mulb-tango", min_length=15) == []


def test_message_and_field() -> None:
    """Each problem is a sentence for a person and a word for a program, about the field that is wrong."""
    (found,) = violations("kje83nf", email=EMAIL, field="new_password")

    assert (found.field, found.code) == ("new_password", "too_short")
    assert (found.message,) == problems("kje83nf", email=EMAIL)
    assert "8" in found.message


@given(st.text(st.characters(), max_size=200))
def test_never_raises(password: str) -> None:
    """Any text gets an answer, and what is accepted can be hashed."""
    if problems(password, email=EMAIL) == ():
        assert is_acceptable(password)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_no_word_is_shown(name: str) -> None:
    """The sentences never quote the password or the name."""
    for sentence in problems("zqxj" + name, email=EMAIL, names=(name,)):
        assert sentence.startswith("The password ")
