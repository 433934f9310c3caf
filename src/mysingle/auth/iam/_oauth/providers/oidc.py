"""OpenID Connect: Google, and every other provider that publishes a discovery document."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from pydantic import SecretStr

from mysingle.auth.iam._oauth.client import ProviderClient
from mysingle.auth.iam._oauth.id_token import IdTokenRules, verify_id_token
from mysingle.auth.iam._oauth.metadata import Metadata, MetadataSource
from mysingle.auth.iam._oauth.providers import answers
from mysingle.auth.iam._oauth.values import (
    Authorization,
    Capabilities,
    Grant,
    ProviderAnswer,
    ProviderIdentity,
    ProviderTokens,
    bad_id_token,
)

__all__ = ["ClientConfig", "OidcProvider"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """What a provider knows us as. `other_issuers` are further spellings of `iss` that are its own."""

    name: str
    client_id: str
    client_secret: SecretStr
    scopes: tuple[str, ...]
    other_issuers: frozenset[str] = frozenset()
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    more_parameters: tuple[tuple[str, str], ...] = ()


class OidcProvider:
    """Sign-in by id token; an e-mail address that is not in the token is asked for at the userinfo endpoint."""

    capabilities = Capabilities(pkce=True, nonce=True, id_token=True)

    def __init__(self, config: ClientConfig, metadata: MetadataSource, client: ProviderClient) -> None:
        self._config = config
        self._metadata = metadata
        self._client = client

    @property
    def name(self) -> str:
        """The provider's name in paths and in the database."""
        return self._config.name

    async def authorization_url(self, authorization: Authorization) -> str:
        """Return where to send the browser (Core 1.0, section 3.1.2.1; RFC 7636, section 4.3)."""
        metadata = await self._metadata.get()
        parameters = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": authorization.redirect_uri,
            "scope": " ".join(dict.fromkeys((*self._config.scopes, *authorization.scopes))),
            "state": authorization.state,
            "nonce": authorization.nonce,
            "code_challenge": authorization.code_challenge,
            "code_challenge_method": "S256",
            **dict(self._config.more_parameters),
        }
        separator = "&" if "?" in metadata.authorization_endpoint else "?"
        return f"{metadata.authorization_endpoint}{separator}{urlencode(parameters)}"

    async def identify(self, grant: Grant) -> ProviderAnswer:
        """Exchange a code, and believe what the id token says."""
        metadata = await self._metadata.get()
        tokens = await self._exchange(metadata, grant)
        claims = await self._claims(metadata, tokens, grant.nonce)
        return ProviderAnswer(identity=await self._identity(metadata, tokens, claims), tokens=tokens)

    async def _exchange(self, metadata: Metadata, grant: Grant) -> ProviderTokens:
        secret = self._config.client_secret.get_secret_value()
        form = {
            "grant_type": "authorization_code",
            "code": grant.code,
            "redirect_uri": grant.redirect_uri,
            "code_verifier": grant.code_verifier,
        }
        if metadata.takes_secret_in_form:
            form |= {"client_id": self._config.client_id, "client_secret": secret}
            return answers.tokens(await self._client.post_form(metadata.token_endpoint, form))
        credentials = self._config.client_id, secret
        return answers.tokens(await self._client.post_form(metadata.token_endpoint, form, credentials=credentials))

    async def _claims(self, metadata: Metadata, tokens: ProviderTokens, nonce: str) -> Mapping[str, object]:
        if tokens.id_token is None:
            raise bad_id_token("missing")
        rules = IdTokenRules(
            issuers=frozenset({metadata.issuer, *self._config.other_issuers}),
            client_id=self._config.client_id,
            nonce=nonce,
            algorithms=tuple(name for name in metadata.algorithms if name in self._config.algorithms),
        )
        return await verify_id_token(tokens.id_token, rules, self._metadata)

    async def _identity(
        self, metadata: Metadata, tokens: ProviderTokens, claims: Mapping[str, object]
    ) -> ProviderIdentity:
        """Read the claims; those of the userinfo endpoint are about the same subject or nobody (section 5.3.2)."""
        profile = claims
        if "email" not in claims and metadata.userinfo_endpoint is not None:
            profile = await self._client.get(metadata.userinfo_endpoint, bearer=tokens.access_token)
            if profile.get("sub") != claims["sub"]:
                raise bad_id_token("the userinfo is about somebody else")
        return ProviderIdentity(
            account_id=answers.account_id(claims, "sub"),
            email=answers.email(profile, "email"),
            email_verified=answers.flag(profile, "email_verified"),
            full_name=answers.name(profile, "name"),
            avatar_url=answers.url(profile, "picture"),
        )
