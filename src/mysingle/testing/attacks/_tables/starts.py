"""Mistakes of the operator: with them a service does not start, and lets nobody in where it is asked all the same."""

from collections.abc import Callable

from mysingle.testing.attacks._attack import Need, StartAttack, refused
from mysingle.testing.attacks._forge import Forge, claiming
from mysingle.testing.attacks._tokens import TokenForge

__all__ = ["STARTS"]

_NOBODY = (refused("AUTH_REQUIRED"),)
_UNPROVEN = (refused("GATEWAY_PROOF_MISSING"),)
_INVALID_TOKEN = (refused("TOKEN_INVALID"),)
_NO_PROOF: dict[str, str | None] = dict.fromkeys(
    (
        "GATEWAY_HMAC_KEYS",
        "GATEWAY_SHARED_SECRETS",
        "GATEWAY_CIDRS",
        "IAM_PUBLIC_KEYS_FILE",
        "IAM_ISSUER",
    )
)
_PLACEHOLDER = "change-this-gateway-key-before-you-go-live"
_SHORT = "0123456789abcdef0123456789abcde"
_PUBLISHED = "test-gateway-key-0123456789abcdef"

_NO_DEVELOPMENT = {
    "production": "production",
    "capital": "Production",
    "short": "prod",
    "staging": "staging",
    "testing": "testing",
    "live": "live",
    "dev": "dev",
    "local": "local",
    "blank": " ",
    "zero-width": "development\N{ZERO WIDTH SPACE}",
    "full-width": "\N{FULLWIDTH LATIN SMALL LETTER D}evelopment",
    "list": "development,production",
    "no-break-space": "\N{NO-BREAK SPACE}development",
}
"""Names of environments, none of which is the one word that allows the bypass."""


def _claims(forge: Forge) -> list[bytes]:
    return forge.get(*claiming(superuser="true"))


def _signed_with(key: str, name: str, does: str) -> StartAttack:
    return StartAttack(
        id=name,
        does=f"knows the key of the gateway, which {does}",
        environment={**_NO_PROOF, "GATEWAY_HMAC_KEYS": key},
        send=lambda forge: forge.get(*forge.signed(key=key)),
        expects=_UNPROVEN,
        refusal="GATEWAY_HMAC_KEYS",
        secrets=(key,),
        needs=frozenset({Need.HMAC}),
    )


def _token(make: Callable[[TokenForge], str]) -> Callable[[Forge], list[bytes]]:
    return lambda forge: forge.get(forge.bearer(make(forge.tokens)))


def _relabelled(says: str) -> Callable[[TokenForge], str]:
    return lambda tokens: tokens.with_header(alg=says)


_PUBLIC_AS_SECRET: dict[str, Callable[[TokenForge], str]] = {
    "PEM": lambda tokens: tokens.with_mac(tokens.signer.key.as_pem(private=False)),
    "DER": lambda tokens: tokens.with_mac(tokens.signer.key.as_der(private=False)),
}


STARTS: tuple[StartAttack, ...] = (
    *(
        StartAttack(
            id=f"A29-bypass-{name}",
            does=f"hopes for the bypass, where ENVIRONMENT is {value!r}",
            environment={"ENVIRONMENT": value, "MYSINGLE_AUTH_BYPASS": "true"},
            send=lambda forge: forge.get(),
            expects=_NOBODY,
        )
        for name, value in _NO_DEVELOPMENT.items()
    ),
    _signed_with(_PLACEHOLDER, "A31-placeholder-key", "a template ships"),
    _signed_with(_SHORT, "A31-short-key", "is too short"),
    _signed_with(_PUBLISHED, "A31-published-key", "the documentation shows"),
    StartAttack(
        id="A31-placeholder-secret",
        does="knows the secret of the gateway, which a template ships",
        environment={**_NO_PROOF, "GATEWAY_SHARED_SECRETS": _PLACEHOLDER},
        send=lambda forge: forge.get(*claiming(), ("X-Gateway-Secret", _PLACEHOLDER)),
        expects=_UNPROVEN,
        refusal="GATEWAY_SHARED_SECRETS",
        secrets=(_PLACEHOLDER,),
        needs=frozenset({Need.SECRET}),
    ),
    StartAttack(
        id="A31-hs256",
        does="has a token with a symmetric signature, which nobody has allowed",
        environment={**_NO_PROOF, "AUTH_ALGORITHMS": "HS256", "IAM_ISSUER": "https://iam.test"},
        send=lambda forge: forge.get(forge.bearer(forge.tokens.by_stranger("HS256"))),
        expects=_NOBODY,
        refusal="AUTH_ALGORITHMS",
    ),
    StartAttack(
        id="A32-no-material",
        does="says who he is, where nothing could prove it",
        environment=_NO_PROOF,
        send=_claims,
        expects=_UNPROVEN,
        refusal="GATEWAY_TRUST",
    ),
    StartAttack(
        id="A32-trust-none",
        does="says who he is, where GATEWAY_TRUST is none",
        environment={**_NO_PROOF, "GATEWAY_TRUST": "none"},
        send=_claims,
        expects=_UNPROVEN,
        refusal="GATEWAY_TRUST=none",
    ),
    StartAttack(
        id="A24-forwarded-from-anywhere",
        does="says that he comes from the gateway's address, where the server believes that",
        environment={**_NO_PROOF, "GATEWAY_CIDRS": "192.0.2.7/32", "FORWARDED_ALLOW_IPS": "*"},
        send=lambda forge: forge.get(*claiming(), ("X-Forwarded-For", "192.0.2.7")),
        expects=_UNPROVEN,
        refusal="GATEWAY_CIDRS",
        needs=frozenset({Need.CIDR}),
    ),
    StartAttack(
        id="A24-gateway-forwards",
        does="says that he comes from the gateway's address, behind a proxy that the server believes",
        environment={"FORWARDED_ALLOW_IPS": "192.0.2.200,192.0.2.201"},
        send=lambda forge: forge.get(*claiming(), ("X-Forwarded-For", "192.0.2.7")),
        expects=_UNPROVEN,
    ),
    *(
        StartAttack(
            id=f"B04-among-several-{says.lower()}",
            does=f"says that his signature is {says}, where that is accepted, too",
            environment={"AUTH_ALGORITHMS": "ES256,RS256,EdDSA"},
            send=_token(_relabelled(says)),
            expects=_INVALID_TOKEN,
            needs=frozenset({Need.JWT}),
        )
        for says in ("RS256", "EdDSA")
    ),
    *(
        StartAttack(
            id=f"B03-among-several-{name}",
            does=f"signs with HS256 and the public key as {name}, where HS256 is accepted, too",
            environment={"AUTH_ALGORITHMS": "ES256,HS256", "AUTH_ALLOW_HS256": "true"},
            send=_token(make),
            expects=_INVALID_TOKEN,
            needs=frozenset({Need.JWT}),
        )
        for name, make in _PUBLIC_AS_SECRET.items()
    ),
)
