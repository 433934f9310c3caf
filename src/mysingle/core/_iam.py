"""What the service that owns the users has beside others; no other service loads it."""

from typing import Any

from mysingle._kernel.asgi import App
from mysingle._kernel.lifecycle import Resource
from mysingle._kernel.metrics import ServiceMetrics
from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam import (
    IAM_DOCUMENTS,
    PUBLIC_PATHS,
    ErrorStyleMiddleware,
    IamResource,
    TemplateMailer,
    build_iam,
    install_iam,
    startup_problems,
)
from mysingle.core.email import MailQueue

__all__ = ["IamParts"]


class IamParts:
    """IAM, with the mail that it sends: what it stores and opens, what its settings lack. Nothing is connected."""

    documents: tuple[type[Any], ...] = IAM_DOCUMENTS
    public_paths = PUBLIC_PATHS

    def __init__(self, settings: CommonSettings, metrics: ServiceMetrics) -> None:
        self._settings = settings
        mail = MailQueue(settings, metrics)
        self._iam = build_iam(settings, TemplateMailer(settings, mail.post))
        self.backend = self._iam.backend
        self.resources: tuple[Resource, ...] = (mail, IamResource(self._iam))
        self.problems = startup_problems(settings)

    def install(self, app: Any) -> None:
        """Add the routes."""
        install_iam(app, self._iam)

    @property
    def rewrites_errors(self) -> bool:
        """Whether older clients read errors in another shape."""
        return self._settings.AUTH_ERROR_STYLE != "problem"

    def error_style(self, app: App) -> App:
        """Put the layer around an app that writes errors as the settings say."""
        return ErrorStyleMiddleware(app, style=self._settings.AUTH_ERROR_STYLE)
