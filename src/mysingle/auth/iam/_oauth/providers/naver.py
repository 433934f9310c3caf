"""Naver: plain OAuth 2 without an id token, and without a word on whether an address is verified."""

from urllib.parse import urlencode

from mysingle.auth.iam._oauth.client import ProviderClient
from mysingle.auth.iam._oauth.providers import answers
from mysingle.auth.iam._oauth.providers.oidc import ClientConfig
from mysingle.auth.iam._oauth.values import (
    Authorization,
    Capabilities,
    Grant,
    ProviderAnswer,
    ProviderIdentity,
    provider_failed,
)

__all__ = ["NaverProvider"]

_SUCCESS = "00"


class NaverProvider:
    """
    Sign-in with Naver.

    The address of a profile is whatever the person has typed there, so it never counts as verified.
    """

    capabilities = Capabilities(pkce=False, nonce=False, id_token=False)

    def __init__(self, config: ClientConfig, *, url: str, api_url: str, client: ProviderClient) -> None:
        self._config = config
        self._url = url.rstrip("/")
        self._api_url = api_url.rstrip("/")
        self._client = client

    @property
    def name(self) -> str:
        """The provider's name in paths and in the database."""
        return self._config.name

    async def authorization_url(self, authorization: Authorization) -> str:
        """Return where to send the browser; parameters that Naver does not know are ignored (RFC 6749, 3.1)."""
        parameters = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": authorization.redirect_uri,
            "scope": " ".join(dict.fromkeys((*self._config.scopes, *authorization.scopes))),
            "state": authorization.state,
            "code_challenge": authorization.code_challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._url}/oauth2.0/authorize?{urlencode(parameters)}"

    async def identify(self, grant: Grant) -> ProviderAnswer:
        """Exchange a code, and ask whose it is. Naver wants the state again."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self._config.client_id,
            "client_secret": self._config.client_secret.get_secret_value(),
            "code": grant.code,
            "state": grant.state,
            "redirect_uri": grant.redirect_uri,
            "code_verifier": grant.code_verifier,
        }
        tokens = answers.tokens(await self._client.post_form(f"{self._url}/oauth2.0/token", form))
        document = await self._client.get(f"{self._api_url}/v1/nid/me", bearer=tokens.access_token)
        if document.get("resultcode") != _SUCCESS:
            raise provider_failed(details={"problem": "the profile was refused"})
        profile = answers.member(document, "response")
        identity = ProviderIdentity(
            account_id=answers.account_id(profile, "id"),
            email=answers.email(profile, "email"),
            email_verified=None,
            full_name=answers.name(profile, "name") or answers.name(profile, "nickname"),
            avatar_url=answers.url(profile, "profile_image"),
        )
        return ProviderAnswer(identity=identity, tokens=tokens)
