"""Which IP addresses are on the public internet: numbers alone, no names and no sockets."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Tables of our own: `ipaddress.is_global` differs between Python's versions, and knows nothing of clouds or tunnels.
NOT_PUBLIC_IPV4: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata, 100.100.100.200
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host, from any of its machines
        "169.254.0.0/16",  # link-local; the metadata of most clouds, 169.254.169.254
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata, 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112: the nearest such server, which may be our own
        "192.52.193.0/24",  # multicast tunnels
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
    )
)

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is handed out for the internet. Outside lie ::, ::1, IPv4-mapped and -compatible addresses, NAT64
(64:ff9b::/96, 64:ff9b:1::/48), fc00::/7 with Amazon's and Google's metadata, fe80::/10, fec0::/10 and ff00::/8."""
NOT_PUBLIC_IPV6: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments; Teredo, which holds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
ISATAP_MARKS = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""The upper half of an interface identifier whose lower half is an IPv4 address, under any prefix (RFC 5214)."""


def is_public(address: Address) -> bool:
    """Whether this is a host on the internet, and not some other address in disguise."""
    if isinstance(address, IPv4Address):
        return address.is_global and not _within(address, NOT_PUBLIC_IPV4)
    return (
        address in GLOBAL_UNICAST
        and address.scope_id is None
        and address.is_global  # should the library learn of a range before we do
        and (int(address) >> 32) & 0xFFFF_FFFF not in ISATAP_MARKS
        and not _within(address, NOT_PUBLIC_IPV6)
    )


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
