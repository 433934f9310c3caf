"""All settings as people may see them: value, where it comes from, secrets masked."""

import re
from typing import NamedTuple

from pydantic import SecretStr

from mysingle._kernel.settings.common import CommonSettings
from mysingle._kernel.settings.report import Origins
from mysingle._kernel.settings.sources import is_secret

__all__ = ["DEFAULT", "MASK", "ListedSetting", "list_settings"]

DEFAULT = "default"
MASK = "***"
_CODE = "the code"
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]*@")


class ListedSetting(NamedTuple):
    """One setting; `source` is `default`, `the environment`, a file, or `the code` of the service."""

    name: str
    value: str
    source: str
    is_secret: bool


def list_settings(settings: CommonSettings) -> tuple[ListedSetting, ...]:
    """Return every setting in the order of its name; what is secret is `***`, and so is a password in an address."""
    cls = type(settings)
    origins = Origins(cls, {})
    listed = []
    for name in sorted(cls.model_fields):
        is_set = name in settings.model_fields_set
        source = (origins.of(name) or _CODE) if is_set else DEFAULT
        hides = is_secret(cls.model_fields[name])
        listed.append(ListedSetting(name, _shown(getattr(settings, name), hides=hides), source, hides))
    return tuple(listed)


def _shown(value: object, *, hides: bool) -> str:
    if value is None or value == () or value == "":
        return ""
    if hides or isinstance(value, SecretStr):
        return MASK
    text = ", ".join(str(item) for item in value) if isinstance(value, tuple) else str(value)
    return _CREDENTIALS.sub(f"{MASK}@", text)
