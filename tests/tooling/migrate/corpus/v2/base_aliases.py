import mysingle.core.base as b
from mysingle.core.base import (
    BaseDocument as Doc,  # short
    BaseTimeDocument,
)
from mysingle.core import base


class One(Doc): ...


class Two(b.BaseDocWithUserId): ...


class Three(base.BaseTimeDoc): ...


class Four(BaseTimeDocument): ...
