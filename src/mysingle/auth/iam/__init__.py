"""The IAM service: users, sessions and tokens. Only the one service that owns the users loads it."""

from typing import TYPE_CHECKING

from mysingle._kernel.extras import lazy_exports

if TYPE_CHECKING:
    from mysingle.auth.iam._bootstrap import startup_problems
    from mysingle.auth.iam._container import Iam, build_iam
    from mysingle.auth.iam._documents import IAM_DOCUMENTS, OAuthAccount, User
    from mysingle.auth.iam._error_style import ErrorStyleMiddleware
    from mysingle.auth.iam._install import PUBLIC_PATHS, IamResource, install_iam
    from mysingle.auth.iam._mail import Mailer, TemplateMailer

__all__ = [
    "IAM_DOCUMENTS",
    "PUBLIC_PATHS",
    "ErrorStyleMiddleware",
    "Iam",
    "IamResource",
    "Mailer",
    "OAuthAccount",
    "TemplateMailer",
    "User",
    "build_iam",
    "install_iam",
    "startup_problems",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "IAM_DOCUMENTS": "._documents",
        "PUBLIC_PATHS": "._install",
        "ErrorStyleMiddleware": "._error_style",
        "Iam": "._container",
        "IamResource": "._install",
        "Mailer": "._mail",
        "OAuthAccount": "._documents",
        "TemplateMailer": "._mail",
        "User": "._documents",
        "build_iam": "._container",
        "install_iam": "._install",
        "startup_problems": "._bootstrap",
    },
    extra="auth",
)
