"""Files that are not Python: variables in .env files, the old release script, requirements."""

import re
from collections.abc import Iterator
from pathlib import PurePath
from urllib.parse import unquote, urlsplit

from mysingle._kernel.old_names import GONE_MODULES, MOVED
from mysingle.tooling.migrate._findings import Finding
from mysingle.tooling.migrate._settings import DATABASES, gone_setting

__all__ = ["is_document", "is_environment", "is_script", "look_into", "migrate_environment", "migrate_script"]

_VARIABLE = re.compile(
    r"(?P<lead>\s*(?:export\s+)?)(?P<name>[A-Za-z_]\w*)(?P<equal>\s*=\s*)(?P<value>.*?)(?P<end>\r?\n?)"
)
_SCRIPT = re.compile(r"(?:(?:uv run |poetry run )?python3?(?:\.\d+)? +)?(?:\./)?scripts/bump_version\.py")
_UNQUOTED = re.compile(r"""(?P<quote>["'])(?P<text>.*?)(?P=quote)(?:\s+#.*)?|(?P<plain>\S*)(?:\s+#.*)?""")
_FIRST = r"v?[01](?!\d)"
_OLD_PACKAGE = re.compile(
    r"\bmysingle[-_](quant|protos)\b"
    rf"""|\bmysingle(\[[^]\n]*\])?[^;#"'\n=~<!]*[>=\d.,\s]*((==|~=|<=)\s*{_FIRST}|<\s*2(\.0)*(?![.\d]))"""
    rf"""|\bmysingle\s*=\s*(\{{[^}}\n]*\b(version|tag|rev)\s*=\s*)?["'][\^~<=]*{_FIRST}"""
    rf"""|/mysingle(\.git)?@{_FIRST}"""
)
_VARIABLES = re.compile(r"\b(?:REDIS_URL|DEV_MODE|AUTH_APP_VERSION|OKTA_\w+|USE_GRPC_FOR_\w+)\b")
_OLD_PATHS = {**MOVED, **dict.fromkeys(GONE_MODULES, "removed")}
_OLD_PATH = re.compile("|".join(rf"\b{re.escape(path)}\b" for path in sorted(_OLD_PATHS, reverse=True) if "." in path))
_SCRIPTS = (".sh", ".bash", ".yml", ".yaml", ".toml", ".cfg", ".ini", ".mk")
_NAMES = ("Makefile", "makefile", "Dockerfile", "Justfile", "justfile", "Pipfile", "Procfile")
_DOCUMENTS = (".md", ".rst", ".ipynb")


def is_environment(path: PurePath) -> bool:
    """Tell whether a file holds variables: `.env`, `.env.local`, `service.env`."""
    return path.name == ".env" or path.name.startswith(".env.") or path.suffix == ".env"


def is_script(path: PurePath) -> bool:
    """Tell whether a file may call the old release script or require an old package."""
    is_list = path.suffix in (".txt", ".in") and "requirements" in path.parent.name
    is_named = path.name in _NAMES or path.name.startswith(("requirements", "constraints"))
    return path.suffix in _SCRIPTS or is_named or is_list


def is_document(path: PurePath) -> bool:
    """Tell whether a file is for readers, who copy imports out of it; a history of changes is no such file."""
    return path.suffix in _DOCUMENTS and not path.name.lower().startswith(("changelog", "history", "news"))


def migrate_environment(text: str) -> tuple[str, list[Finding]]:
    """Return the variables of version 2, and what a person must still do."""
    findings: list[Finding] = []
    given = {match["name"] for line in text.splitlines() if (match := _VARIABLE.fullmatch(line))}
    result: list[str] = []
    for line in text.splitlines(keepends=True):
        result += _variable(line, given, len(result) + 1, findings)
    return "".join(result), findings


def _variable(line: str, given: set[str], number: int, findings: list[Finding]) -> list[str]:
    match = _VARIABLE.fullmatch(line)
    if match is None or line.lstrip().startswith("#"):
        return [line]
    name = match["name"]
    if name == "REDIS_URL":
        return _redis(match, given, number, findings)
    if name in DATABASES:
        return [] if DATABASES[name] in given else [line.replace(name, DATABASES[name], 1)]
    gone = gone_setting(name)
    if gone is None:
        return [line]
    findings.append(Finding(line=number, what=f"{name} was deleted", why=gone.advice, section=gone.section))
    return []


def _redis(match: re.Match[str], given: set[str], number: int, findings: list[Finding]) -> list[str]:
    """Split the URL; a password that was quoted in it for URLs stands plainly."""
    value = _UNQUOTED.sub(lambda found: found["text"] or found["plain"] or "", match["value"].strip(), count=1)
    try:
        url = urlsplit(value)
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if host is None or url.scheme not in ("redis", "rediss"):
        why = "only redis://user:password@host:port is understood; write REDIS_HOST, REDIS_PORT, REDIS_PASSWORD"
        findings.append(Finding(line=number, what="REDIS_URL cannot be split", why=why, section="settings"))
        return [match[0]]
    found = {
        "REDIS_HOST": host,
        "REDIS_PORT": str(port) if port else None,
        "REDIS_USERNAME": unquote(url.username) if url.username else None,
        "REDIS_PASSWORD": unquote(url.password) if url.password else None,
        "REDIS_TLS": "true" if url.scheme == "rediss" else None,
    }
    if url.path.strip("/"):
        what = f"REDIS_URL named database {url.path.strip('/')[:8]}"
        why = "caches choose their database by REDIS_DB_*; look whether the data there are still needed"
        findings.append(Finding(line=number, what=what, why=why, section="settings"))
    end = match["end"]
    rows = [
        f"{match['lead']}{name}{match['equal']}{_quoted(value)}"
        for name, value in found.items()
        if value is not None and name not in given
    ]
    return [f"{row}{end or chr(10)}" for row in rows[:-1]] + [f"{row}{end}" for row in rows[-1:]]


def _quoted(value: str) -> str:
    if re.fullmatch(r"[\w.:/+@%-]*", value):
        return value
    return f"'{value}'" if "'" not in value else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def migrate_script(text: str) -> tuple[str, list[Finding]]:
    """Return a text that calls `mysingle version`, and what a person must look at."""
    result = _SCRIPT.sub("mysingle version", text)
    return result, [*look_into(text), *_looks(text)]


def look_into(text: str) -> Iterator[Finding]:
    """Yield the paths of version 1 in a text that stays as it is, and the packages of version 1 that it requires."""
    for number, line in enumerate(text.splitlines(), 1):
        for path in dict.fromkeys(_OLD_PATH.findall(line)):
            what = f"{path} was removed" if path in GONE_MODULES else f"{path} is {MOVED[path]} now"
            yield Finding(line=number, what=what, why="it stands here as text; change it", section="imports")
        if _OLD_PACKAGE.search(line):
            why = "require mysingle[common]>=2.2 and its extras, and no other package of version 1"
            yield Finding(line=number, what="a package of version 1 is required", why=why, section="requirements")


def _looks(text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        if _SCRIPT.search(line):
            why = "it takes auto, major, minor, patch or set; look whether the arguments are still right"
            yield Finding(
                line=number, what="scripts/bump_version.py is mysingle version now", why=why, section="releases"
            )
        for name in _VARIABLES.findall(line):
            advice = gone_setting(name)
            why = advice.advice if advice else "REDIS_HOST, REDIS_PORT, REDIS_PASSWORD and REDIS_TLS take its place"
            yield Finding(line=number, what=f"{name} is read no more", why=why, section="settings")
