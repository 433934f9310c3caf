"""Kakao: OpenID Connect, but only its own API says whether an e-mail address is valid and verified."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from mysingle.auth.iam._oauth.metadata import Metadata
from mysingle.auth.iam._oauth.providers import answers
from mysingle.auth.iam._oauth.providers.oidc import OidcProvider
from mysingle.auth.iam._oauth.values import (
    Capabilities,
    ProviderIdentity,
    ProviderTokens,
    bad_id_token,
    provider_failed,
)

__all__ = ["KakaoProvider"]

_USER_PATH = "/v2/user/me"


class KakaoProvider(OidcProvider):
    """
    Sign-in with Kakao; OpenID Connect has to be switched on in its console.

    The user API stands on the host of the userinfo endpoint, and there an address counts as verified only when it is
    valid, too: one that was given to somebody else meanwhile is not.
    """

    capabilities = Capabilities(pkce=False, nonce=True, id_token=True)

    async def _identity(
        self, metadata: Metadata, tokens: ProviderTokens, claims: Mapping[str, object]
    ) -> ProviderIdentity:
        user = await self._client.get(_user_address(metadata), bearer=tokens.access_token)
        account_id = answers.account_id(user, "id")
        if account_id != claims["sub"]:
            raise bad_id_token("the user is somebody else")
        account = answers.member(user, "kakao_account")
        profile = answers.member(account, "profile")
        return ProviderIdentity(
            account_id=account_id,
            email=answers.email(account, "email"),
            email_verified=_both(answers.flag(account, "is_email_valid"), answers.flag(account, "is_email_verified")),
            full_name=answers.name(profile, "nickname"),
            avatar_url=answers.url(profile, "profile_image_url"),
        )


def _both(is_valid: bool | None, is_verified: bool | None) -> bool | None:
    if is_valid is None or is_verified is None:
        return None
    return is_valid and is_verified


def _user_address(metadata: Metadata) -> str:
    if metadata.userinfo_endpoint is None:
        raise provider_failed(details={"problem": "the discovery document has no userinfo_endpoint"})
    parts = urlsplit(metadata.userinfo_endpoint)
    return f"{parts.scheme}://{parts.netloc}{_USER_PATH}"
