"""URLs that must not get a byte. `{port}` is the port of a real server on 127.0.0.1, which would answer."""

MALFORMED: dict[str, list[str]] = {
    "only http and https are allowed": [
        "file:///etc/passwd",
        "file://127.0.0.1:{port}/etc/passwd",
        "ftp://127.0.0.1:{port}/",
        "gopher://127.0.0.1:{port}/_GET%20/",
        "dict://127.0.0.1:{port}/info",
        "ldap://127.0.0.1:{port}/",
        "ws://127.0.0.1:{port}/",
        "http+unix://%2Frun%2Fdocker.sock/info",
        "unix:/run/docker.sock",
        "data:image/png;base64,iVBORw0KGgo=",
        "javascript:fetch('http://127.0.0.1:{port}/')",
        "//127.0.0.1:{port}/",
        "127.0.0.1:{port}/",
        "/latest/meta-data/",
        "",
    ],
    "it names no host": [
        "http:/127.0.0.1:{port}/",
        "http:127.0.0.1:{port}/",
        "http:///127.0.0.1:{port}/",
        "http://?@127.0.0.1:{port}/",
        "http://:{port}/",
    ],
    "its host is an IP address in an unusual form": [
        "http://2130706433:{port}/",  # decimal
        "http://017700000001:{port}/",  # octal
        "http://0x7f000001:{port}/",  # hex
        "http://0X7F000001:{port}/",
        "http://0x7f.0x0.0x0.0x1:{port}/",
        "http://0x7f.0.0.1:{port}/",
        "http://0x7f.1:{port}/",
        "http://127.1:{port}/",  # short
        "http://127.0.1:{port}/",
        "http://127.65535:{port}/",
        "http://0:{port}/",
        "http://0x:{port}/",
        "http://2852039166:{port}/latest/meta-data/",  # 169.254.169.254
        "http://0xA9FEA9FE:{port}/latest/meta-data/",
        "http://0251.0xfe.43518:{port}/latest/meta-data/",
        "http://example.127:{port}/",
        "http://%31%32%37.0.0.1:{port}/",
        "http://127\u30021:{port}/",  # an ideographic full stop, which IDNA takes for a dot
    ],
    "it is malformed": [
        "http://0177.0.0.1:{port}/",
        "http://127.000.000.001:{port}/",
        "http://127.0.0.1.:{port}:{port}/",
        "http://256.256.256.256:{port}/",
        "http://127.0.0.4294967297:{port}/",
        "http://\uff11\uff12\uff17.0.0.1:{port}/",  # fullwidth digits
        "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460:{port}/",  # enclosed digits
        "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3:{port}/",  # enclosed letters: localhost
        "http://127.0.0.1\uff0f.example.com:{port}/",  # a fullwidth slash
        "http://example.com\uff20127.0.0.1:{port}/",  # a fullwidth @
        "http://[::1:{port}/",
        "http://[127.0.0.1]:{port}/",
        "http://[::ffff:127.0.0.1.]:{port}/",
        "http://[::1].example.com:{port}/",
        "http://127.0.0.1:{port}:80/",
        "http://127.0.0.1:port/",
        "http://\ud800.example.com:{port}/",
    ],
    "an IPv6 zone is not allowed": [
        "http://[fe80::1%25lo]:{port}/",
        "http://[::1%lo]:{port}/",
    ],
    "its host is malformed": [
        "http://localhost.:{port}/",
        "http://127.0.0.1.:{port}/",
        "http://metadata.google.internal.:{port}/",
        "http://.127.0.0.1.example.com:{port}/",
        "http://example..com:{port}/",
        "http://127%2e0%2e0%2e1:{port}/",
        "http://127.0.0.1%00.example.com:{port}/",
        "http://127.0.0.1%0d%0aHost:{port}/",
        "http://127.0.0.1,example.com:{port}/",
        "http://*.example.com:{port}/",
        "http://-.example.com:{port}/",
        "http://" + "a" * 64 + ".example.com:{port}/",
        "http://" + "a." * 127 + "com:{port}/",
    ],
    "a user name or password in it is not allowed": [
        "http://user@127.0.0.1:{port}/",
        "http://user:password@127.0.0.1:{port}/",
        "http://@127.0.0.1:{port}/",
        "http://example.com@127.0.0.1:{port}/",
        "http://example.com:80@127.0.0.1:{port}/",
        "http://example.com:80%20@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}@example.com/",
        "http://a@b@127.0.0.1:{port}/",
    ],
    "spaces, control characters and backslashes are not allowed": [
        "http://example.com\\@127.0.0.1:{port}/",
        "http:\\\\127.0.0.1:{port}\\",
        "http://127.0.0.1:{port}\\.example.com/",
        " http://127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/ HTTP/1.1",
        "http://127.0.0.1:{port}/\r\nHost: internal",
        "http://127.0.0.1:{port}/\nX: y",
        "http://127.0.0.1\t:{port}/",
        "http://127.0.0.1\x00:{port}/",
        "ht\ntp://127.0.0.1:{port}/",
    ],
    "it is longer than 2048 characters": [
        "http://127.0.0.1:{port}/?" + "a" * 2048,
    ],
}
"""By the reason for which they are refused, whatever may be reached."""

PORTS: list[str] = [
    "http://example.com:22/",
    "http://example.com:0/",
    "http://example.com:6379/",
    "http://example.com:5432/",
    "http://example.com:25/",
    "http://example.com:65616/",  # 80, in sixteen bits
    "http://example.com:-80/",
    "https://example.com:9000/",
]
"""Of a public host, and not allowed."""

NOT_PUBLIC: list[str] = [
    "http://127.0.0.1:{port}/",
    "HTTP://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}?x#@example.com",
    "http://127\u30020\u30020\u30021:{port}/",
    "http://127.0.0.53:{port}/",
    "http://127.255.255.255:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0.1.2.3:{port}/",
    "http://10.0.0.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://100.100.100.200:{port}/latest/meta-data/",  # Alibaba
    "http://168.63.129.16:{port}/machine/?comp=goalstate",  # Azure
    "http://169.254.169.254/latest/meta-data/",  # Amazon, Google, Azure …
    "http://169.254.170.2/v2/credentials",  # Amazon's containers
    "http://172.16.0.1:{port}/",
    "http://172.31.255.255:{port}/",
    "http://192.0.0.192:{port}/",  # Oracle
    "http://192.0.2.1:{port}/",
    "http://192.88.99.1:{port}/",
    "http://192.168.0.1:{port}/",
    "http://198.18.0.1:{port}/",
    "http://198.51.100.1:{port}/",
    "http://203.0.113.1:{port}/",
    "http://224.0.0.1:{port}/",
    "http://239.255.255.250:{port}/",
    "http://240.0.0.1:{port}/",
    "http://255.255.255.255:{port}/",
    "http://[::]:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:{port}/",
    "http://[::127.0.0.1]:{port}/",  # IPv4-compatible
    "http://[::ffff:127.0.0.1]:{port}/",  # IPv4-mapped
    "http://[::FFFF:7F00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:7f00:0001]:{port}/",
    "http://[::ffff:8.8.8.8]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",  # IPv4-translated
    "http://[64:ff9b::127.0.0.1]:{port}/",  # NAT64
    "http://[64:ff9b::a9fe:a9fe]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",  # local NAT64
    "http://[100::1]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/",  # Teredo
    "http://[2001:db8::1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",  # 6to4
    "http://[2002:a9fe:a9fe::1]:{port}/",
    "http://[2a00:1450:4001::5efe:127.0.0.1]:{port}/",  # ISATAP
    "http://[3fff::1]:{port}/",
    "http://[5f00::1]:{port}/",
    "http://[fc00::1]:{port}/",
    "http://[fd00::2]:{port}/",
    "http://[fd00:ec2::254]/latest/meta-data/",  # Amazon
    "http://[fd20:ce::254]/computeMetadata/v1/",  # Google
    "http://[fe80::1]:{port}/",
    "http://[fec0::1]:{port}/",
    "http://[ff02::1]:{port}/",
]
"""Well-formed addresses that aren't public."""

INTERNAL_NAMES: list[str] = [
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://redis:{port}/",
    "http://kubernetes.default.svc.cluster.local:{port}/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://anything.localhost:{port}/",
    "http://localhost.localdomain:{port}/",
    "http://router.home.arpa:{port}/",
    "http://printer.lan:{port}/",
]
"""Names that aren't looked up."""

RESOLVING: dict[str, list[str]] = {
    "http://loopback.example.com:{port}/": ["127.0.0.1"],
    "https://loopback.example.com:{port}/": ["127.0.0.1"],
    "http://loopback6.example.com:{port}/": ["::1"],
    "http://mapped.example.com:{port}/": ["::ffff:127.0.0.1"],
    "http://nat64.example.com:{port}/": ["64:ff9b::7f00:1"],
    "http://6to4.example.com:{port}/": ["2002:7f00:1::"],
    "http://zone.example.com:{port}/": ["fe80::1%lo"],
    "http://zero.example.com:{port}/": ["0.0.0.0"],
    "http://metadata.example.com/latest/meta-data/": ["169.254.169.254"],
    "http://mixed.example.com:{port}/": ["8.8.8.8", "127.0.0.1"],
    "http://mixed6.example.com:{port}/": ["2a00:1450:4001:800::200e", "fd00::2"],
    "http://last.example.com:{port}/": ["8.8.8.8"] * 20 + ["8.8.4.4", "10.0.0.1"],
    "http://127.0.0.1.nip.example:{port}/": ["127.0.0.1"],
    "http://b\u00fccher.example:{port}/": ["127.0.0.1"],
    "http://xn--bcher-kva.example:{port}/": ["127.0.0.1"],
}
"""Names, and what they resolve to."""

REDIRECTS: dict[str, str] = {
    "http://127.0.0.1:{port}/": "its host is not on the public internet",
    "//127.0.0.1:{port}/": "its host is not on the public internet",
    "http://loopback.example.com:{port}/": "its host is not on the public internet",
    "http://localhost:{port}/": "its host is not on the public internet",
    "http://[::1]:{port}/": "its host is not on the public internet",
    "http://[::ffff:127.0.0.1]:{port}/": "its host is not on the public internet",
    "http://169.254.169.254/latest/meta-data/": "its host is not on the public internet",
    "http://2130706433:{port}/": "its host is an IP address in an unusual form",
    "http://user@127.0.0.1:{port}/": "a user name or password in it is not allowed",
    "http://127.0.0.1:22/": "port 22 is not allowed",
    "file:///etc/passwd": "only http and https are allowed",
    "ftp://127.0.0.1:{port}/": "only http and https are allowed",
    "gopher://127.0.0.1:{port}/_": "only http and https are allowed",
    "data:image/png;base64,iVBORw0KGgo=": "only http and https are allowed",
    "/\\127.0.0.1:{port}/": "spaces, control characters and backslashes are not allowed",
    "http://127.0.0.1\t:{port}/": "spaces, control characters and backslashes are not allowed",
    "http://[::1": "it is malformed",
    "http://[::1]x:{port}/": "it is malformed",
    "/" + "a" * 2048: "it is longer than 2048 characters",
}
"""Where a public server leads, and the reason for which it is not followed."""
