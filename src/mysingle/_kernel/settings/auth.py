"""The settings of identity: the gateway, tokens, the IAM service, sign-in with other providers, mail."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, PositiveInt, SecretStr
from pydantic_settings import BaseSettings

from mysingle._kernel.public_paths import PublicPaths
from mysingle._kernel.settings.types import Flag, Lifetime, Port, Seconds, SecretList, TextList

__all__ = ["AuthSettings", "IamSettings", "MailSettings", "OAuthSettings", "TokenSettings"]

PROOFS = ("jwt", "hmac", "secret", "mtls", "cidr")
_ALGORITHMS = ("ES256", "RS256", "EdDSA", "HS256")
_MAX_KEYS = 3


def _public(paths: tuple[str, ...]) -> tuple[str, ...]:
    PublicPaths(paths)
    return paths


def _trust(names: tuple[str, ...]) -> tuple[str, ...]:
    lowered = tuple(name.lower() for name in names)
    if lowered in (("auto",), ("network",), ("none",)) or (lowered and set(lowered) <= set(PROOFS)):
        return lowered
    raise ValueError(f"Input should be auto, network, none, or a list of {', '.join(PROOFS)}")


def _keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if len(keys) > _MAX_KEYS:
        raise ValueError(f"Input should have at most {_MAX_KEYS} keys: one in use and those that are being replaced")
    return keys


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        ip_network(value)
    return values


def _algorithms(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in _ALGORITHMS]
    if unknown or not names:
        raise ValueError(f"Input should be a list of {', '.join(_ALGORITHMS)}")
    return names


class AuthSettings(BaseSettings):
    """Who may say who is calling."""

    MYSINGLE_AUTH_BYPASS: Flag = False
    MYSINGLE_AUTH_BYPASS_ADMIN: Flag = False
    TEST_USER_EMAIL: str = "test@example.com"
    TEST_USER_FULLNAME: str = "Test User"
    GATEWAY_TRUST: Annotated[TextList, AfterValidator(_trust)] = ("auto",)
    GATEWAY_HMAC_KEYS: Annotated[SecretList, AfterValidator(_keys)] = ()
    GATEWAY_HMAC_MAX_SKEW_SECONDS: Annotated[int, Field(ge=1, le=300)] = 30
    GATEWAY_NONCE_CACHE_SIZE: PositiveInt = 65_536
    GATEWAY_SHARED_SECRETS: SecretList = ()
    GATEWAY_SECRET_HEADER: str = Field("X-Gateway-Secret", pattern=r"^[A-Za-z0-9-]{1,64}$")
    GATEWAY_CIDRS: Annotated[TextList, AfterValidator(_networks)] = ()
    GATEWAY_ASSUME_VERIFIED: bool = True
    FORWARDED_ALLOW_IPS: str = "127.0.0.1,::1"
    AUTH_PUBLIC_PATHS: Annotated[TextList, AfterValidator(_public)] = ()

    @property
    def gateway_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Where the gateway connects from, for the `cidr` proof."""
        return tuple(ip_network(value) for value in self.GATEWAY_CIDRS)


class TokenSettings(BaseSettings):
    """Which access tokens are believed, and where the keys are."""

    IAM_ISSUER: str | None = None
    IAM_AUDIENCE: str = "mysingle"
    IAM_JWKS_URL: HttpUrl | None = None
    IAM_PUBLIC_KEYS_FILE: Path | None = None
    AUTH_ALGORITHMS: Annotated[TextList, AfterValidator(_algorithms)] = ("ES256",)
    AUTH_ALLOW_HS256: Flag = False
    AUTH_REVOCATION_CHECK: Literal["off", "redis"] = "off"


class IamSettings(BaseSettings):
    """The IAM service: sessions, accounts, the shape of its answers."""

    PUBLIC_BASE_URL: HttpUrl | None = None
    AUTH_SECRET_KEY: SecretStr | None = None
    AUTH_ACCESS_TOKEN_SECONDS: Lifetime = 900
    AUTH_REFRESH_IDLE_SECONDS: Lifetime = 30 * 86_400
    AUTH_REFRESH_ABSOLUTE_SECONDS: Lifetime = 90 * 86_400
    AUTH_SIGNING_KEY_LIFETIME_SECONDS: Lifetime = 30 * 86_400
    AUTH_SIGNING_KEY_LEAD_SECONDS: Lifetime = 86_400
    AUTH_PASSWORD_MIN_LENGTH: Annotated[int, Field(ge=8, le=64)] = 8
    AUTH_REGISTRATION_ENABLED: Flag = True
    AUTH_REGISTER_ENUMERATION: Literal["standard", "strict"] = "standard"
    AUTH_ERROR_STYLE: Literal["problem", "fastapi-users", "legacy"] = "problem"
    AUTH_COMPAT: Flag = False
    AUTH_SUPERUSER_EMAIL: str | None = None
    AUTH_SUPERUSER_PASSWORD: SecretStr | None = None
    AUTH_SUPERUSER_FULLNAME: str | None = None


class OAuthSettings(BaseSettings):
    """Sign-in with other providers; a provider is on when its client id and secret are set."""

    OAUTH_AUTO_LINK: Literal["off", "verified"] = "off"
    OAUTH_REDIRECT_URLS: TextList = ()
    OAUTH_STORE_TOKENS: Flag = False
    OAUTH_TIMEOUT_SECONDS: Seconds = 5.0
    GOOGLE_OAUTH_CLIENT_ID: str | None = None
    GOOGLE_OAUTH_CLIENT_SECRET: SecretStr | None = None
    GOOGLE_OAUTH_ISSUER: HttpUrl = HttpUrl("https://accounts.google.com")
    KAKAO_OAUTH_CLIENT_ID: str | None = None
    KAKAO_OAUTH_CLIENT_SECRET: SecretStr | None = None
    KAKAO_OAUTH_ISSUER: HttpUrl = HttpUrl("https://kauth.kakao.com")
    NAVER_OAUTH_CLIENT_ID: str | None = None
    NAVER_OAUTH_CLIENT_SECRET: SecretStr | None = None
    NAVER_OAUTH_URL: HttpUrl = HttpUrl("https://nid.naver.com")
    NAVER_OAUTH_API_URL: HttpUrl = HttpUrl("https://openapi.naver.com")
    OIDC_NAME: str = Field("oidc", pattern=r"^[a-z][a-z0-9-]{0,31}$")
    OIDC_ISSUER: HttpUrl | None = None
    OIDC_CLIENT_ID: str | None = None
    OIDC_CLIENT_SECRET: SecretStr | None = None
    OIDC_SCOPES: TextList = ("openid", "email", "profile")


class MailSettings(BaseSettings):
    """Where mail goes. Without `SMTP_HOST` development prints it, and nothing else is sent."""

    SMTP_HOST: str | None = None
    SMTP_PORT: Port = 587
    SMTP_USERNAME: str | None = None
    SMTP_PASSWORD: SecretStr | None = None
    SMTP_SECURITY: Annotated[
        Literal["starttls", "tls", "none"],
        BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    ] = "starttls"
    SMTP_TIMEOUT_SECONDS: Seconds = 10.0
    MAIL_FROM_ADDRESS: str = "no-reply@localhost"
    MAIL_FROM_NAME: str | None = None
