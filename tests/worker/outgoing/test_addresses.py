"""Which addresses are public, by table and by disguise."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.outgoing.addresses import is_public

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001:800::200e",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_the_internet_is_public(text: str) -> None:
    """Up to the edges of what is not; the hostile URLs have the other side."""
    assert is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_is_public_in_disguise(address: IPv4Address) -> None:
    """Nor is a public one: whoever writes it so wants something."""
    number = int(address)
    disguises = [
        number,  # IPv4-compatible
        0xFFFF << 32 | number,  # IPv4-mapped
        0xFFFF << 48 | number,  # IPv4-translated
        0x0064_FF9B << 96 | number,  # NAT64
        0x0064_FF9B_0001 << 80 | number,  # local NAT64
        0x2002 << 112 | number << 80 | 1,  # 6to4
        0x2001_0000 << 96 | (number ^ 0xFFFF_FFFF),  # Teredo
        0x2A00_1450 << 96 | 0x0000_5EFE << 32 | number,  # ISATAP
        0x2A00_1450 << 96 | 0x0200_5EFE << 32 | number,
    ]
    assert not any(is_public(IPv6Address(disguise)) for disguise in disguises)


@given(st.ip_addresses())
def test_ours_is_never_wider_than_pythons(address: IPv4Address | IPv6Address) -> None:
    """What the library knows to be special is not public."""
    special = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    assert not (special and is_public(address))
