"""Base documents and schemas; they live in `mysingle.database.documents`."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.database.documents import (
        BaseDoc,
        BaseDocument,
        BaseDocumentWithUserId,
        BaseDocWithUserId,
        BaseResponseSchema,
        BaseTimeDoc,
        BaseTimeDocument,
        BaseTimeDocWithUserId,
    )

__all__ = [
    "BaseDoc",
    "BaseDocWithUserId",
    "BaseDocument",
    "BaseDocumentWithUserId",
    "BaseResponseSchema",
    "BaseTimeDoc",
    "BaseTimeDocWithUserId",
    "BaseTimeDocument",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    dict.fromkeys(__all__, "mysingle.database.documents"),
    extra="database",
)
