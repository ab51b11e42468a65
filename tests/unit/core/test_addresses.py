import pytest

from wiretape.core.addresses import (
    Address,
    host_allowed,
    is_loopback,
    name_in_host,
    names_listener,
    ollama_host_url,
    parse_allowed_host,
    parse_listen,
    parse_upstream,
    redact_user_info,
)
from wiretape.errors import UsageError


# As ollama's own envconfig tests have them.
@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        (":1234", "http://127.0.0.1:1234"),
        ("1.2.3.4:1234", "http://1.2.3.4:1234"),
        ("example.com", "http://example.com:11434"),
        ("example.com:1234", "http://example.com:1234"),
        ("example.com:0", "http://example.com:11434"),
        ("example.com:66000", "http://example.com:11434"),
        ("example.com:abc", "http://example.com:11434"),
        ("example.com:", "http://example.com:11434"),
        ("example.com:-1", "http://example.com:11434"),
        ("http://1.2.3.4", "http://1.2.3.4:80"),
        ("https://1.2.3.4", "https://1.2.3.4:443"),
        ("https://1.2.3.4:1234", "https://1.2.3.4:1234"),
        ("example.com/ollama", "http://example.com:11434/ollama"),
        ("https://example.com:1234/a/b/", "https://example.com:1234/a/b"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:1337", "http://[::1]:1337"),
        ("http://[::1]:1337", "http://[::1]:1337"),
        ("::1", "http://[::1]:11434"),
        (" 1.2.3.4 ", "http://1.2.3.4:11434"),
        ('"1.2.3.4"', "http://1.2.3.4:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104  what users write
        ("[::]:5", "http://[::1]:5"),
        ('" 1.2.3.4 "', "http://1.2.3.4:11434"),
        ("fe80::1%eth0", "http://[fe80::1%eth0]:11434"),
        ("[fe80::1%eth0]:5", "http://[fe80::1%eth0]:5"),
        ("ollama.com", "https://ollama.com:443"),
    ],
)
def test_ollama_host_means_what_it_means_to_ollama(value: str, url: str):
    assert ollama_host_url(value) == url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://host:1", "http://host:1"),
        ("https://host/path/", "https://host/path"),
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("http://[::1]:5", "http://[::1]:5"),
    ],
)
def test_upstreams_are_urls(text: str, url: str):
    assert parse_upstream(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "ftp://x",
        "http://",
        "http://h:0",
        "http://h:99999",
        "http://a b",
        "h?x=1:2",
        "http://é..b",
        "http://a..b/é",
    ],
)
def test_what_is_no_url_is_refused_as_an_upstream(text: str):
    with pytest.raises(UsageError, match="is not a URL"):
        parse_upstream(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("localhost:80", Address("localhost", 80)),
        (":8000", Address("0.0.0.0", 8000)),  # noqa: S104  what ":PORT" asks for
        ("8000", Address("127.0.0.1", 8000)),
        ("[::1]:5", Address("::1", 5)),
    ],
)
def test_listen_addresses(text: str, address: Address):
    assert parse_listen(text) == address


@pytest.mark.parametrize(
    "text", ["", "host", "host:", "host:x", "host:99999", "a b:1", "http://h:1"]
)
def test_bad_listen_addresses_are_refused(text: str):
    with pytest.raises(UsageError, match="bad listen address"):
        parse_listen(text)


def test_an_upstream_that_is_the_proxy_itself_is_noticed():
    here = Address("127.0.0.1", 11435)
    assert names_listener("http://127.0.0.1:11435", here)
    assert names_listener("http://localhost:11435/@chat", here)
    assert not names_listener("http://127.0.0.1:11434", here)
    assert not names_listener("http://elsewhere:11435", here)
    assert not names_listener("http://127.0.0.1:80", Address("127.0.0.1", 0))
    assert not names_listener("http://127.0.0.2:11435", here)
    assert not names_listener("http://[::1]:11435", here)
    assert names_listener("http://127.0.0.2:11435", Address("0.0.0.0", 11435))  # noqa: S104  compared
    assert not names_listener("http://[::1]:11435", Address("0.0.0.0", 11435))  # noqa: S104  as above
    assert names_listener("http://[::1]:11435", Address("", 11435))
    assert names_listener("http://localhost:11435", Address("::1", 11435))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.5", "::1"])
def test_loopback_names(host: str):
    assert is_loopback(host)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        (None, True),
        ("localhost:11435", True),
        ("127.0.0.1", True),
        ("[::1]:11435", True),
        ("proxy.test:80", True),
        ("evil.example:11435", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_only_loopback_and_allowed_names_pass_in_host(host: str | None, *, allowed: bool):
    assert host_allowed(host, frozenset({"proxy.test"})) is allowed


@pytest.mark.parametrize("host", ["Wiretape:11435", "wiretape", "wiretape.", "[fe80::1]:80"])
def test_the_name_that_a_refusal_names_is_one_that_helps(host: str):
    assert host_allowed(host, frozenset({name_in_host(host)}))


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("proxy.test", "proxy.test:11435"),
        ("MY.dev.", "my.dev"),
        ("my.dev:8080", "my.dev:11435"),
        ("http://my.dev/", "my.dev"),
        ("[::2]", "[::2]:11435"),
        ("::2", "[::2]"),
        ("[::2]:80", "[::2]"),
    ],
)
def test_an_allowed_host_may_be_spelt_in_any_way(text: str, host: str):
    assert host_allowed(host, frozenset({parse_allowed_host(text)}))


@pytest.mark.parametrize("text", ["", " ", ":80", "*.dev", "http://", "a b"])
def test_what_names_no_host_cannot_be_allowed(text: str):
    with pytest.raises(UsageError, match="write a name"):
        parse_allowed_host(text)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("https://token-of-no-shape@host/v1", "https://REDACTED@host/v1"),
        ("https://user:@host:8443", "https://REDACTED@host:8443"),
        ('http://user:pa"ss99999@[::1]:1', "http://REDACTED@[::1]:1"),
        ("http://user:a@b@host", "http://REDACTED@host"),
        ("http://[::1/v1", "http://[::1/v1"),
        ("http://user:a[b@host", "http://REDACTED@host"),
    ],
)
def test_what_a_url_says_of_its_user_is_not_shown(url: str, shown: str):
    assert redact_user_info(url) == shown
