"""URLs taken apart: no two readings of one."""

import socket
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import UrlRefused
from worker.outgoing.destinations import Destination, parse, redirected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com", Destination("http", "example.com", 80, "/")),
        ("HTTPS://Example.COM:443/A?b=C#d", Destination("https", "example.com", 443, "/A?b=C")),
        ("http://example.com:8080?x", Destination("http", "example.com", 8080, "/?x")),
        ("http://my_bucket.s3.example.com/", Destination("http", "my_bucket.s3.example.com", 80, "/")),
        ("http://bücher.example/ü", Destination("http", "xn--bcher-kva.example", 80, "/%C3%BC")),
        ("http://8.8.8.8/", Destination("http", "8.8.8.8", 80, "/")),
        ("https://[2A00:0:0::1]:8443/", Destination("https", "2a00::1", 8443, "/")),
        ("http://example.com/@user/a:b//c", Destination("http", "example.com", 80, "/@user/a:b//c")),
        (
            "http://example.com/?to=http://user@127.0.0.1/",
            Destination("http", "example.com", 80, "/?to=http://user@127.0.0.1/"),
        ),
        ("http://example.com#@127.0.0.1/", Destination("http", "example.com", 80, "/")),
        ("http://example.com/a/../../b/./c", Destination("http", "example.com", 80, "/b/c")),
        ("http://1password.com/", Destination("http", "1password.com", 80, "/")),
        ("http://0x7f.example.com/", Destination("http", "0x7f.example.com", 80, "/")),
    ],
)
def test_usual_urls_are_understood(url: str, expected: Destination) -> None:
    """Once into a form that reads the same again."""
    assert parse(url) == expected
    assert parse(expected.url) == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (b"d", "http://example.com:8080/a/d"),
        (b"/d?e#f", "http://example.com:8080/d?e"),
        (b"?e", "http://example.com:8080/a/b?e"),
        (b"", "http://example.com:8080/a/b?c"),
        (b"//other.example/x", "http://other.example/x"),
        (b"https://other.example", "https://other.example/"),
        (b"../../../x", "http://example.com:8080/x"),
        ("/ü".encode(), "http://example.com:8080/%C3%BC"),
    ],
)
def test_redirects_are_joined(location: bytes, expected: str) -> None:
    """As RFC 3986 has it."""
    assert redirected(parse("http://example.com:8080/a/b?c#d"), location).url == expected


@pytest.mark.parametrize("location", [b"/\xff", b"http://[", b"http://[x]/", "http://\u2488/".encode()])
def test_malformed_redirects_are_refused(location: bytes) -> None:
    """Whatever they make the parsers raise."""
    with pytest.raises(UrlRefused):
        redirected(parse("http://example.com/"), location)


@st.composite
def inet_aton_texts(draw: st.DrawFn) -> str:
    """An IPv4 address in one to four numbers, each in one of three bases, perhaps with zeros before it."""
    address = draw(st.integers(0, 2**32 - 1))
    dotted = draw(st.integers(0, 3))
    numbers = [address >> (24 - 8 * place) & 0xFF for place in range(dotted)]
    numbers.append(address & (1 << (32 - 8 * dotted)) - 1)
    forms = ("{}", "0{:o}", "00{:o}", "0x{:x}", "0x{:X}", "0X{:x}", "0x00{:X}")
    return ".".join(draw(st.sampled_from(forms)).format(number) for number in numbers)


@given(inet_aton_texts())
def test_addresses_have_one_form(text: str) -> None:
    """What `inet_aton` reads is refused, unless it is four decimal numbers."""
    canonical = socket.inet_ntoa(socket.inet_aton(text))
    for port in ("", ":8080"):
        if text == canonical:
            assert parse(f"http://{text}{port}/").address == IPv4Address(canonical)
        else:
            with pytest.raises(UrlRefused):
                parse(f"http://{text}{port}/")


@given(st.text(alphabet=st.sampled_from("0123456789abcdefx.:@/\\[]%?# \t-_~\uff11\u3002\uff0e\u2460\xfc"), max_size=40))
def test_no_url_has_two_readings(rest: str) -> None:
    """It is refused, or what becomes of it reads the same again and holds nothing odd."""
    try:
        destination = parse(f"http://{rest}")
    except UrlRefused:
        return
    assert parse(destination.url) == destination
    assert not set(destination.authority) & set("@/\\?#% ")
    assert destination.target.isascii()
    assert destination.target.startswith("/")


@given(st.text(max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    """Whatever a caller writes, the only error is ours."""
    for url in (text, f"http://{text}", f"http://example.com:{text}", f"https://[{text}]/"):
        try:
            destination = parse(url)
        except UrlRefused:
            continue
        assert destination.scheme in {"http", "https"}


@given(st.binary(max_size=60))
def test_no_redirect_is_too_odd(location: bytes) -> None:
    """Nor whatever a server answers."""
    origin = parse("https://example.com/a")
    try:
        destination = redirected(origin, location)
    except UrlRefused:
        return
    assert destination.scheme == "https"


@given(st.ip_addresses(v=4).map(str))
def test_public_and_private_read_alike(text: str) -> None:
    """The canonical form is left as it is."""
    assert parse(f"http://{text}/").host == text
