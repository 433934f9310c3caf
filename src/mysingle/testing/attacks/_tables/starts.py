"""Mistakes of the operator: with them a service does not start, and lets nobody in where it is asked all the same."""

from mysingle.testing.attacks._attack import Need, StartAttack, refused
from mysingle.testing.attacks._forge import Forge, claiming

__all__ = ["STARTS"]

_NOBODY = (refused("AUTH_REQUIRED"),)
_UNPROVEN = (refused("GATEWAY_PROOF_MISSING"),)
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
)
