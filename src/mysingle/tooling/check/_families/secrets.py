"""MS80: no secret stands in the code. Names say what a text is for, its looks say whether it is a real one."""

import ast
import math
import re
from collections import Counter
from collections.abc import Mapping

from mysingle.tooling.check._addresses import parse_address, words
from mysingle.tooling.check._context import Call, Context
from mysingle.tooling.check._libraries import ENVIRONMENT_READERS
from mysingle.tooling.check._places import NamedPlace, named_place, whole_text
from mysingle.tooling.check._scopes import Class, Scope
from mysingle.tooling.check._syntax import argument

__all__ = ["HANDLERS"]

_KNOWN: Mapping[str, re.Pattern[str]] = {
    "an AWS access key": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})"),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Stripe key": re.compile(r"\b[sr]k_live_[A-Za-z0-9]{16,}"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "a Slack webhook": re.compile(r"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/\w{20,}"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),
    "an OpenAI key": re.compile(r"\bsk-(proj-|ant-)?[A-Za-z0-9_-]{32,}"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "a package index token": re.compile(r"\b(npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,})"),
    "a SendGrid key": re.compile(r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    "a private key": re.compile(r"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----\s*[A-Za-z0-9+/=\\]{16,}"),
}
_IN_SERVICES: Mapping[str, re.Pattern[str]] = {
    "a private key": re.compile(r"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----"),
    "a signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,}"),
}
"""Kinds that tests make for themselves."""
_PASSWORDS = frozenset(["password", "passwd", "pwd", "passphrase", "passwort"])
_SECRETS = frozenset(["secret", "secrets", "token", "apikey", "credential", "credentials", "authkey", "bearer"])
_KEYS = frozenset(
    [
        "api",
        "access",
        "secret",
        "private",
        "signing",
        "encryption",
        "auth",
        "jwt",
        "master",
        "session",
        "hmac",
        "crypto",
        "client",
        "aes",
        "rsa",
        "fernet",
        "app",
        "cipher",
        "license",
        "account",
        "admin",
        "service",
        "shared",
        "webhook",
        "cookie",
    ]
)
_KEYED = {
    "hmac.new": (0, "key"),
    "hmac.digest": (0, "key"),
    "jwt.encode": (1, "key"),
    "jose.jwt.encode": (1, "key"),
    "jwt.decode": (1, "key"),
    "jose.jwt.decode": (1, "key"),
    "cryptography.fernet.Fernet": (0, "key"),
    "itsdangerous.URLSafeTimedSerializer": (0, "secret_key"),
    "itsdangerous.URLSafeSerializer": (0, "secret_key"),
}
"""Call → its parameter that takes a key."""
_TRAILING = frozenset(
    [
        "value",
        "default",
        "prod",
        "production",
        "staging",
        "dev",
        "development",
        "live",
        "str",
        "string",
        "old",
        "new",
        "current",
        "backup",
        "v1",
        "v2",
    ]
)
_NOT_SECRET = frozenset(
    [
        "url",
        "uri",
        "type",
        "name",
        "header",
        "field",
        "path",
        "file",
        "env",
        "ttl",
        "expiry",
        "id",
        "prefix",
        "length",
        "size",
        "algorithm",
        "cookie",
        "alias",
        "key_name",
        "location",
        "format",
        "pattern",
        "regex",
        "endpoint",
        "scheme",
        "scope",
        "scopes",
        "label",
        "placeholder",
        "message",
        "error",
        "hint",
        "count",
        "limit",
    ]
)
_PLACEHOLDER = re.compile(
    r"|.*(change[\W_]*me|change[\W_]*this|replace[\W_]*(me|with)|placeholder|redacted|dummy|example|sample|your[\W_-]|<.*>|\$\{|\{\{|\*{3,}"
    r"|x{4,}|todo|fixme|insert|not[\W_]*set|unset|none|null|undefined|fake|secretref|vault:|env:|arn:aws|ssm:|file:).*"
    r"|\{\w*\}|%s|\.+|-+|_+|\*+|\?+|bearer|basic|access|refresh|password|token|secret|string|str|test|n/?a|false|true|required|optional|masked",
    re.IGNORECASE | re.DOTALL,
)
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z]*([._:/-][A-Za-z]+)*")
_DOTTED = re.compile(r"\.?[A-Za-z_]+([./][A-Za-z_]+)+|\.[A-Za-z_]+")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
_AUTHORIZATION = re.compile(r"(bearer|basic|token)\s+\S{8,}", re.IGNORECASE)
_MIN_KEY = 6
_EXAMPLE_KEY = re.compile(r"EXAMPLE|(.)\1{9,}|0123456789|abcdefghij|1234567890", re.IGNORECASE)


def _on_text(context: Context, node: ast.Constant | ast.JoinedStr, scope: Scope) -> None:
    if isinstance(node, ast.JoinedStr):
        _check_login(context, node, scope)
        return
    value = _whole_value(context, node, scope)
    if len(value) < 3:
        return
    if len(value) >= 16 and _check_known(context, node, value):
        return
    if "://" in value:
        _check_login(context, node, scope)
        return
    place = named_place(context, node, scope)
    if place.is_harmless or place.is_given or not place.name:
        return
    _check_named(context, node, value, place, scope)


def _whole_value(context: Context, node: ast.Constant, scope: Scope) -> str:
    """Return a text with what is added to it, when all of that stands in the code."""
    whole = whole_text(context, node)
    found = context.evaluator.literal(whole, scope) if whole is not node else None
    return str(node.value) if found is None else found


def _on_bytes(context: Context, node: ast.Constant, scope: Scope) -> None:
    """`KEY = b"..."`, and the key that a function is given."""
    value = node.value.decode("latin-1") if isinstance(node.value, bytes) else ""
    place = named_place(context, node, scope)
    if len(value) >= 3 and place.name and not place.is_harmless and not place.is_given:
        _check_named(context, node, value, place, scope)


def _check_known(context: Context, node: ast.Constant, value: str) -> bool:
    kinds = _KNOWN if context.module.is_test else {**_KNOWN, **_IN_SERVICES}
    for kind, pattern in kinds.items():
        found = pattern.search(value)
        if found and not _EXAMPLE_KEY.search(found[0]):
            context.report("MS802", node, kind)
            return True
    return False


def _check_login(context: Context, node: ast.Constant | ast.JoinedStr, scope: Scope) -> None:
    """`mongodb://user:password@host`."""
    text = context.evaluator.text(node, scope)
    if text is None or "@" not in text.shape or "://" not in text.shape:
        return
    address = parse_address(text)
    if address is None or not address.has_password:
        return
    password = text.shape.partition("://")[2].rpartition("@")[0].partition(":")[2]
    is_host = (address.host or "").endswith(("example.com", "example.org"))
    if not _PLACEHOLDER.fullmatch(password) and not is_host and password not in ("pass", "pw", "pwd", "user"):
        shown = re.sub(r"://[^@]*@", "://...@", "".join(p if isinstance(p, str) else "{}" for p in text.parts))
        context.report("MS803", node, f"`{shown}`")


def _check_named(context: Context, node: ast.Constant, value: str, place: NamedPlace, scope: Scope) -> None:
    name = place.name
    if name.lower() in ("authorization", "x-authorization", "proxy-authorization"):
        if _AUTHORIZATION.fullmatch(value) and not _PLACEHOLDER.fullmatch(value.split(None, 1)[1]):
            context.report("MS801", node, f"`{name}`")
        return
    weight = _weight(name)
    if weight and not _is_in_enum(context, scope) and _is_real(value, weight, place):
        context.report("MS801", node, f"`{name}`")


def _weight(name: str) -> str:
    """Tell whether a name is one of a password, of a secret, or of neither (empty)."""
    parts = words(name)
    while len(parts) > 1 and (parts[-1] in _TRAILING or parts[-1].isdigit()):
        parts.pop()
    if not parts or parts[-1] in _NOT_SECRET:
        return ""
    if parts[-1] in _PASSWORDS:
        return "password"
    if parts[-1] in _SECRETS or (len(parts) > 1 and parts[-1] == "key" and parts[-2] in _KEYS):
        return "secret"
    return ""


def _is_real(value: str, weight: str, place: NamedPlace) -> bool:
    """Tell a secret from a placeholder, a label, the name of a variable, or a message."""
    if (
        _PLACEHOLDER.fullmatch(value.strip())
        or _VARIABLE.fullmatch(value)
        or value.startswith(("/", "./", "~", "$", "%"))
    ):
        return _is_weak_password(value, weight, place)
    if len(value.split()) > 1:
        return False
    if weight == "password":
        return not (place.is_assigned and _says_what_it_is(value))
    if len(value) < _MIN_KEY or _says_what_it_is(value):
        return False
    is_word = _IDENTIFIER.fullmatch(value) is not None and (value.islower() or value.isupper() or value.istitle())
    return not is_word or _is_secret_word(value, place) or _entropy(value) > 3.6


def _is_weak_password(value: str, weight: str, place: NamedPlace) -> bool:
    """`connect(password="password")` is a password, `GRANT = "password"` is not."""
    return (
        weight == "password"
        and not place.is_assigned
        and not place.is_parameter
        and value.lower() in ("password", "secret", "test")
    )


def _says_what_it_is(value: str) -> bool:
    """`RESET_TOKEN = "reset_token"`: a label that only repeats such a name."""
    last = (words(value) or [""])[-1]
    if _DOTTED.fullmatch(value):
        return True
    is_label = re.fullmatch(r"[a-z]+([_.:/-][a-z]+)*|[A-Z]+([_-][A-Z]+)*|([A-Z]+[a-z]+\d?-?)+", value) is not None
    return is_label and (
        last in _PASSWORDS | _SECRETS | _NOT_SECRET or last in ("key", "auth", "reset", "code", "in", "required")
    )


def _is_secret_word(value: str, place: NamedPlace) -> bool:
    """`SECRET_KEY = "supersecret"`."""
    return "secret" in value.lower() and "secret" in place.name.lower()


def _entropy(value: str) -> float:
    counts = Counter(value)
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())


def _is_in_enum(context: Context, scope: Scope) -> bool:
    owner = scope.owner
    return isinstance(owner, Class) and any(
        base.rpartition(".")[2].endswith("Enum") for base in context.evaluator.bases(owner)
    )


def _on_call(context: Context, call: Call) -> None:
    if call.name in ENVIRONMENT_READERS:
        _check_default(context, call)
    elif call.method in ("SecretStr", "SecretBytes"):
        _check_wrapped(context, call)
    elif call.method in ("compare_digest", "BasicAuth", "HTTPBasicAuth"):
        _check_pair(context, call)
    elif call.name in _KEYED:
        _check_secret(context, argument(call.node, *_KEYED[call.name]), call.scope, call.name)
    for given in call.node.keywords:
        if given.arg == "auth" and isinstance(given.value, ast.Tuple) and len(given.value.elts) == 2:
            _check_secret(context, given.value.elts[1], call.scope, "auth")


def _check_default(context: Context, call: Call) -> None:
    """`os.getenv("JWT_SECRET", "s3cr3t-value")`."""
    name = context.evaluator.literal(argument(call.node, 0, "key"), call.scope) or ""
    default = argument(call.node, 1, "default")
    if isinstance(default, ast.Constant) and isinstance(default.value, str):
        place = NamedPlace(name)
        weight = _weight(name)
        if weight and default.value and _is_real(default.value, weight, place):
            context.report("MS801", default, f"the default of `{name}`")


def _check_wrapped(context: Context, call: Call) -> None:
    first = call.node.args[0] if call.node.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value:
        name = named_place(context, call.node, call.scope).name
        if _is_real(first.value, "password", NamedPlace(name)):
            context.report("MS801", first, f"`{name or call.method}`")


def _check_pair(context: Context, call: Call) -> None:
    for given in call.node.args[:2] if call.method == "compare_digest" else call.node.args[1:2]:
        _check_secret(context, given, call.scope, call.method)


def _check_secret(context: Context, node: ast.expr | None, scope: Scope, name: str) -> None:
    text = context.evaluator.literal(node, scope)
    if node is not None and text and _is_real(text, "password", NamedPlace(name)):
        context.report("MS801", node, f"`{name}`")


def _on_compare(context: Context, node: ast.Compare, scope: Scope) -> None:
    """`if password == "letmein"`."""
    sides = [node.left, *node.comparators]
    if len(sides) != 2 or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return
    for literal, other in (sides, reversed(sides)):
        if isinstance(literal, ast.Constant) and isinstance(literal.value, str):
            name = _name_of(other)
            weight = _weight(name)
            if weight and _is_real(literal.value, weight, NamedPlace(name, is_assigned=True)):
                context.report("MS801", literal, f"the comparison with `{name}`")


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


HANDLERS = {"text": _on_text, "bytes": _on_bytes, "call": _on_call, "compare": _on_compare}
