"""Whom an address stands for, when callers are counted by it."""

from ipaddress import IPv6Address, ip_address, ip_network

__all__ = ["site_of"]

_IPV6_SITE = 64


def site_of(address: str) -> str:
    """Return the network of an IPv6 address, because one customer has all of it; anything else as it is."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    return str(found.ipv4_mapped or ip_network((int(found), _IPV6_SITE), strict=False))
