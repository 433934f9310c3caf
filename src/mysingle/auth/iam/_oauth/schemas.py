"""What the routes of sign-in with other providers accept and answer."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["AuthorizationUrl", "Callback"]


class AuthorizationUrl(BaseModel):
    """Where to send the browser."""

    authorization_url: str


class Callback(BaseModel):
    """What a provider has sent the browser back with; whatever else it sends is of no interest."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    code: Annotated[str, Field(max_length=4096)] | None = None
    state: Annotated[str, Field(max_length=256)] | None = None
    error: Annotated[str, Field(max_length=256)] | None = None
