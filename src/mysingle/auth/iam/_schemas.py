"""What the routes of IAM accept and answer: one schema for each use, so that no field is set by accident."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, HttpUrl, SecretStr, TypeAdapter
from pydantic_core import PydanticCustomError

from mysingle.auth.iam._email_address import normalize

__all__ = [
    "ActivityEvent",
    "ActivityList",
    "AdminCreateUser",
    "AdminUserUpdate",
    "ChangePassword",
    "CompatRegister",
    "DeleteMe",
    "EmailRequest",
    "Empty",
    "JsonLogin",
    "LinkedAccount",
    "LinkedAccountList",
    "Login",
    "Logout",
    "MfaCode",
    "MfaDisable",
    "MfaRecoveryCodes",
    "MfaSecret",
    "MfaSetup",
    "MfaVerify",
    "OpenIdConfiguration",
    "RefreshRequest",
    "Register",
    "ResetPassword",
    "SessionItem",
    "SessionList",
    "TokenInfo",
    "TokenRequest",
    "TokenResponse",
    "UserInfo",
    "UserList",
    "UserRead",
    "UserUpdate",
]

MAX_PASSWORD_BYTES = 1024
_MAX_LOGIN = 320
_MAX_TOKEN = 512
_MAX_ACCESS_TOKEN = 8 * 1024  # one that is sent by mistake is a bad token, and no ill-formed request
_MAX_CODE = 64
_MAX_NAME = 200
_MAX_URL = 2048
_NOT_IN_URLS = frozenset(" \"'<>\\`")  # what could end the attribute of a page that shows it carelessly
_URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)


def _email(value: str) -> str:
    try:
        return normalize(value)[0]
    except ValueError:
        raise PydanticCustomError("email", "Input should be an e-mail address, without a name around it") from None


def _password(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().encode()) > MAX_PASSWORD_BYTES:
        raise PydanticCustomError("password_too_large", "Input should have at most 1024 bytes")
    return value


def _plain_text(value: str) -> str:
    if not all(character.isprintable() for character in value):
        raise PydanticCustomError("not_printable", "Input should have printable characters only")
    return value


def _url(value: str) -> str:
    _URL.validate_python(value)
    if not value.isprintable() or not _NOT_IN_URLS.isdisjoint(value):
        raise PydanticCustomError("url", "Input should be an address without blanks, quotes and brackets")
    return value


Email = Annotated[
    str, Field(min_length=3, max_length=_MAX_LOGIN, json_schema_extra={"format": "email"}), AfterValidator(_email)
]
LoginName = Annotated[str, Field(min_length=1, max_length=_MAX_LOGIN)]
Password = Annotated[SecretStr, Field(min_length=1, max_length=MAX_PASSWORD_BYTES), AfterValidator(_password)]
FullName = Annotated[str, Field(max_length=_MAX_NAME), AfterValidator(_plain_text)]
AvatarUrl = Annotated[str, Field(max_length=_MAX_URL, json_schema_extra={"format": "uri"}), AfterValidator(_url)]
Token = Annotated[SecretStr, Field(min_length=1, max_length=_MAX_TOKEN)]
Code = Annotated[SecretStr, Field(min_length=1, max_length=_MAX_CODE)]
Role = Annotated[str, Field(pattern=r"^[a-z0-9:_-]{1,64}$")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Empty(BaseModel):
    """An answer that says nothing, the same for everybody."""


class Register(_Request):
    """Somebody opens an account."""

    email: Email
    password: Password
    full_name: FullName | None = None
    avatar_url: AvatarUrl | None = None


class CompatRegister(Register):
    """The same for older clients, which send more than they may decide; the rest is ignored, never honoured."""

    model_config = ConfigDict(extra="ignore")


class Login(_Request):
    """A login as an OAuth2 form."""

    username: LoginName
    password: Password
    grant_type: Annotated[str, Field(pattern="^(password)?$")] = "password"
    scope: Annotated[str, Field(max_length=_MAX_TOKEN)] = ""
    client_id: Annotated[str, Field(max_length=_MAX_TOKEN)] | None = None
    client_secret: Token | None = None


class JsonLogin(_Request):
    """A login as JSON."""

    email: LoginName
    password: Password


class RefreshRequest(_Request):
    """A refresh token in the body; it may also come as a header or a cookie."""

    refresh_token: Annotated[SecretStr, Field(min_length=1, max_length=_MAX_ACCESS_TOKEN)] | None = None


class Logout(_Request):
    """With `all`, every session of the user ends."""

    all: bool = False


class TokenRequest(_Request):
    """A token that came by mail."""

    token: Token


class EmailRequest(_Request):
    """An address to which a mail is asked for."""

    email: Email


class ResetPassword(_Request):
    """A new password, and the token that came by mail."""

    token: Token
    password: Password


class ChangePassword(_Request):
    """A new password, and the one that is in use."""

    current_password: Password
    new_password: Password


class MfaVerify(_Request):
    """The second step of a login: its token, and a code of the authenticator or a recovery code."""

    mfa_token: Token
    code: Code


class MfaSetup(_Request):
    """The password of whoever wants a second step."""

    current_password: Password


class MfaCode(_Request):
    """A code of the authenticator that was just set up."""

    code: Code


class MfaDisable(_Request):
    """Both steps, to give the second one up."""

    current_password: Password
    code: Code


class UserUpdate(_Request):
    """What people change about themselves; a new address or password needs the current password."""

    full_name: FullName | None = None
    avatar_url: AvatarUrl | None = None
    email: Email | None = None
    password: Password | None = None
    current_password: Password | None = None


class DeleteMe(_Request):
    """The current password of the account that is to go; not needed right after a login."""

    current_password: Password | None = None


class AdminCreateUser(_Request):
    """An account that an administrator opens for somebody; its owner chooses the password."""

    email: Email
    full_name: FullName | None = None
    avatar_url: AvatarUrl | None = None
    is_superuser: bool = False
    roles: Annotated[list[Role], Field(max_length=64)] = []


class AdminUserUpdate(_Request):
    """What an administrator changes about an account."""

    full_name: FullName | None = None
    avatar_url: AvatarUrl | None = None
    is_active: bool | None = None
    is_superuser: bool | None = None
    is_verified: bool | None = None
    roles: Annotated[list[Role], Field(max_length=64)] | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, populate_by_name=True)


Id = Annotated[str, BeforeValidator(str), Field(pattern=r"^[0-9a-f]{24}$")]


class LinkedAccount(_Answer):
    """An account at another provider with which a user signs in."""

    oauth_name: str
    account_id: str
    account_email: str | None = None


class LinkedAccountList(_Answer):
    """All of them."""

    oauth_accounts: list[LinkedAccount]
    total_count: int


class UserInfo(_Answer):
    """The user as a login answers it; `_id` is the older name of `id`."""

    id: Id
    legacy_id: Id = Field(alias="_id")
    email: str
    full_name: str | None = None
    is_active: bool
    is_superuser: bool
    is_verified: bool
    avatar_url: str | None = None

    @classmethod
    def of(cls, user: Any, **more: Any) -> Self:  # Any: the value and the document have the same attributes
        """Make it from a user, with values that stand elsewhere."""
        names = cls.model_fields.keys() - {"legacy_id"} - more.keys()
        return cls.model_validate({name: getattr(user, name) for name in names} | {"_id": user.id} | more)


class UserRead(UserInfo):
    """A user: never a hash, a token or an address of the network."""

    roles: list[str]
    oauth_accounts: list[LinkedAccount]
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None = None
    login_count: int


class UserList(_Answer):
    """A page of users; `next_cursor` is null on the last one."""

    items: list[UserRead]
    next_cursor: str | None


class TokenResponse(_Answer):
    """The tokens of a session; with cookies they are null here and stand in the cookies."""

    access_token: str | None
    refresh_token: str | None
    token_type: str = "bearer"  # noqa: S105  # the name of a scheme
    expires_in: int
    refresh_expires_in: int
    user_info: UserInfo


class MfaSecret(_Answer):
    """What an authenticator needs, as text and as the address that a QR code holds; it counts once it is confirmed."""

    secret: str
    otpauth_url: str


class MfaRecoveryCodes(_Answer):
    """Codes for when the authenticator is lost, each good once; they are shown this once."""

    recovery_codes: list[str]


class TokenInfo(_Answer):
    """What an access token that is valid says."""

    valid: bool = True
    user_id: Id
    email: str | None
    is_verified: bool
    is_superuser: bool
    is_active: bool
    session_id: str
    expires_at: datetime


class SessionItem(_Answer):
    """One session of a user."""

    id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: str | None
    user_agent: str | None
    is_current: bool


class SessionList(_Answer):
    """All sessions of a user."""

    items: list[SessionItem]
    total: int


class ActivityEvent(_Answer):
    """Something that happened to an account."""

    at: datetime
    kind: str
    ip: str | None
    user_agent: str | None
    session_id: str | None
    correlation_id: str | None
    detail: Mapping[str, Any]


class ActivityList(_Answer):
    """The latest events of an account, the newest first."""

    items: list[ActivityEvent]
    total: int


class OpenIdConfiguration(_Answer):
    """Where the keys are, and who signs with them; no provider of OpenID Connect."""

    issuer: str
    jwks_uri: str
    id_token_signing_alg_values_supported: list[str]
