"""The provider's tokens as the database has them: not at all, or encrypted and bound to their account."""

import json
from dataclasses import asdict

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from mysingle._kernel.settings import CommonSettings
from mysingle.auth.iam._oauth.values import ProviderTokens
from mysingle.auth.iam._secrets import MasterSecret

__all__ = ["TokenVault"]


class TokenVault:
    """
    Seals and opens the tokens of providers.

    Nothing is kept unless `OAUTH_STORE_TOKENS` is on and there is a lasting secret: what nobody could open again is
    of no use.
    """

    def __init__(self, settings: CommonSettings, secret: MasterSecret) -> None:
        keeps = settings.OAUTH_STORE_TOKENS and secret.is_usable and secret.is_lasting
        self._key = OctKey.import_key(secret.derive("oauth-tokens")) if keeps else None

    def seal(self, tokens: ProviderTokens, provider: str, account_id: str) -> str | None:
        """Return the tokens as a JWE (RFC 7516), None when they are not to be kept."""
        if self._key is None:
            return None
        kept = {name: value for name, value in asdict(tokens).items() if name != "id_token"}
        header = {"alg": "dir", "enc": "A256GCM"}
        bound = {"provider": provider, "account_id": account_id, "tokens": kept}
        return jwe.encrypt_compact(header, json.dumps(bound).encode(), self._key)

    def open(self, sealed: str, provider: str, account_id: str) -> ProviderTokens | None:
        """Return the tokens of this account; None when they cannot be opened, or belong to another one."""
        if self._key is None:
            return None
        try:
            opened = json.loads(jwe.decrypt_compact(sealed, self._key).plaintext or b"null")
            if (opened["provider"], opened["account_id"]) != (provider, account_id):
                return None
            return ProviderTokens(**opened["tokens"])
        except (JoseError, ValueError, TypeError, KeyError):
            return None
