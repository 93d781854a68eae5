"""Which URLs a webhook may have, and which addresses are nobody's business."""

import pytest

from shared.domain.addresses import is_public, read_url, refusal


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://example.org", "https://example.org:443", "/"),
        ("http://Example.ORG./a?b=c#d", "http://example.org:80", "/a?b=c"),
        ("https://example.org:8443/a%20b", "https://example.org:8443", "/a%20b"),
        ("https://[2606:4700:0:0::1111]:9000/", "https://[2606:4700::1111]:9000", "/"),
        ("https://8.8.8.8?x", "https://8.8.8.8:443", "/?x"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example:443", "/"),
        ("https://my_host.example.org:/", "https://my_host.example.org:443", "/"),
    ],
)
def test_a_url_is_taken_apart(url: str, origin: str, path: str) -> None:
    target = read_url(url)
    assert (target.origin, target.path) == (origin, path)
    assert refusal(target) is None


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "//example.org",
        "ftp://example.org",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://user:secret@example.org",
        "https://example.org@10.0.0.1",
        "https://example.org:0",
        "https://example.org:65536",
        "https://example.org:https",
        "https://exam ple.org",
        "https://example.org/\n",
        "https://example.org\\@10.0.0.1",
        "https://b\u00fccher.example",
        "https://example..org",
        "https://-example.org",
        "https://exa%6dple.org",
        "https://[::1",
        "https://[::1]x",
        "https://[fe80::1%25eth0]",
        "https://[example.org]",
        "https://127.1",
        "https://0x7f.0.0.1",
        "https://0x7f000001",
        "https://2130706433",
        "https://0177.0.0.1",
        "https://127.0.0.1.5",
        "https://example.999",
    ],
)
def test_what_is_no_such_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|has) "):
        read_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST.:8000/",
        "http://anything.localhost",
        "http://printer.local",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://postgres:5432/",
        "http://127.0.0.1:8000",
        "http://127.255.255.254",
        "http://10.1.2.3",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "https://example.org:22/",
        "https://8.8.8.8:25/",
    ],
)
def test_what_is_not_public_by_its_looks_is_refused(url: str) -> None:
    assert refusal(read_url(url))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.19.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "100::1",
        "2001:0:53aa:64c:0:0:80ff:fffe",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "nonsense",
    ],
)
def test_an_address_that_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001:80e::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_an_address_that_is_public(address: str) -> None:
    assert is_public(address)
