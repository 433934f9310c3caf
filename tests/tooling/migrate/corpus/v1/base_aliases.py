import mysingle.base as b
from mysingle.base import (
    BaseDocument as Doc,  # short
    BaseTimeDocument,
)
from mysingle import base


class One(Doc): ...


class Two(b.BaseDocWithUserId): ...


class Three(base.BaseTimeDoc): ...


class Four(BaseTimeDocument): ...
