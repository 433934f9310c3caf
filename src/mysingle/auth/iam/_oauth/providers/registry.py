"""Which providers are on: those whose client id and secret are set."""

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._oauth.client import ProviderClient
from mysingle.auth.iam._oauth.metadata import MetadataSource
from mysingle.auth.iam._oauth.providers.kakao import KakaoProvider
from mysingle.auth.iam._oauth.providers.naver import NaverProvider
from mysingle.auth.iam._oauth.providers.oidc import ClientConfig, OidcProvider
from mysingle.auth.iam._oauth.values import Provider

__all__ = ["make_providers"]

_GOOGLE_ISSUER = "https://accounts.google.com"
_GOOGLE_OTHER_ISSUER = "accounts.google.com"


def make_providers(settings: CommonSettings, client: ProviderClient) -> Mapping[str, Provider]:
    """Return the providers that are on, by name; one of `OIDC_NAME` never takes the place of a named one."""
    made = (make(settings, client) for make in (_other, _naver, _kakao, _google))
    return {provider.name: provider for provider in made if provider is not None}


def _google(settings: CommonSettings, client: ProviderClient) -> Provider | None:
    issuer = str(settings.GOOGLE_OAUTH_ISSUER).rstrip("/")
    config = _config(
        "google",
        settings.GOOGLE_OAUTH_CLIENT_ID,
        settings.GOOGLE_OAUTH_CLIENT_SECRET,
        scopes=("openid", "email", "profile"),
        other_issuers=frozenset({_GOOGLE_OTHER_ISSUER}) if issuer == _GOOGLE_ISSUER else frozenset(),
        algorithms=("RS256",),
        more_parameters=(("access_type", "offline"),) if settings.OAUTH_STORE_TOKENS else (),
    )
    return None if config is None else OidcProvider(config, _metadata(settings, issuer, client), client)


def _kakao(settings: CommonSettings, client: ProviderClient) -> Provider | None:
    config = _config(
        "kakao",
        settings.KAKAO_OAUTH_CLIENT_ID,
        settings.KAKAO_OAUTH_CLIENT_SECRET,
        scopes=("openid", "profile_nickname", "account_email"),
        algorithms=("RS256",),
    )
    return (
        None
        if config is None
        else KakaoProvider(config, _metadata(settings, str(settings.KAKAO_OAUTH_ISSUER), client), client)
    )


def _naver(settings: CommonSettings, client: ProviderClient) -> Provider | None:
    config = _config(
        "naver", settings.NAVER_OAUTH_CLIENT_ID, settings.NAVER_OAUTH_CLIENT_SECRET, scopes=("profile", "email")
    )
    return (
        None
        if config is None
        else NaverProvider(
            config, url=str(settings.NAVER_OAUTH_URL), api_url=str(settings.NAVER_OAUTH_API_URL), client=client
        )
    )


def _other(settings: CommonSettings, client: ProviderClient) -> Provider | None:
    if settings.OIDC_ISSUER is None:
        return None
    scopes = tuple(dict.fromkeys(("openid", *settings.OIDC_SCOPES)))
    config = _config(settings.OIDC_NAME, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET, scopes=scopes)
    return (
        None if config is None else OidcProvider(config, _metadata(settings, str(settings.OIDC_ISSUER), client), client)
    )


def _metadata(settings: CommonSettings, issuer: str, client: ProviderClient) -> MetadataSource:
    return MetadataSource(issuer, client, settings.OAUTH_TIMEOUT_SECONDS)


def _config(name: str, client_id: str | None, secret: SecretStr | None, **more: Any) -> ClientConfig | None:
    if not client_id or secret is None or not secret.get_secret_value():
        return None
    return ClientConfig(name=name, client_id=client_id, client_secret=secret, **more)
