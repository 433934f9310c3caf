"""The app factory: one call from a configuration to a service."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mysingle._kernel.extras import require
from mysingle.core.service import ServiceConfig, ServiceConfigError

if TYPE_CHECKING:
    from beanie import Document
    from fastapi import FastAPI

__all__ = ["create_fastapi_app"]


def create_fastapi_app(
    service_config: ServiceConfig | None = None,
    document_models: "Sequence[type[Document]] | None" = None,
    *,
    config: ServiceConfig | None = None,
) -> "FastAPI":
    """
    Return the FastAPI app of a service: context, logs, metrics, errors, authentication, health and databases.

    Args:
        service_config: from `create_service_config`; `config` is another name for it.
        document_models: the Beanie documents of this service. Without any, and without audit, it needs no MongoDB.

    Raises:
        TypeError: no configuration, or two, or models that are no documents.
        ValueError: documents although the database is off.
        SettingsError: settings that cannot be read. MissingExtraError: no `mysingle[web]`.
    """
    require("web", "create_fastapi_app")
    chosen = service_config or config
    if not isinstance(chosen, ServiceConfig) or (service_config and config):
        raise TypeError("create_fastapi_app needs one configuration: create_fastapi_app(service_config=config)")
    if document_models and not chosen.enable_database:
        raise ServiceConfigError("document_models need a database, but the configuration says enable_database=False")
    _check_models(document_models)
    from mysingle.core._assemble import assemble

    return assemble(chosen, tuple(document_models or ()))


def _check_models(models: object) -> None:
    if isinstance(models, type):
        raise TypeError(f"document_models must be a list, for example [{models.__name__}]")
    for model in models or ():  # type: ignore[attr-defined]  # whatever a caller gave
        if not hasattr(model, "get_model_type"):  # what Beanie asks each of them
            raise TypeError(
                f"document_models has {model!r}: documents are subclasses of mysingle.core.base.BaseDocument"
            )
