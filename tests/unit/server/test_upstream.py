import pytest

from wiretape.server.upstream import host_field


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("http://127.0.0.1:11434", "127.0.0.1:11434"),
        ("http://localhost:80/v1", "localhost"),
        ("https://api.example:443", "api.example"),
        ("https://api.example:80", "api.example:80"),
        ("https://api.example", "api.example"),
        ("http://[::1]", "[::1]"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://пример.рф:8080", "xn--e1afmkfd.xn--p1ai:8080"),
        ("http://пример.рф", "xn--e1afmkfd.xn--p1ai"),
    ],
)
def test_host_is_the_upstreams_name_as_the_wire_has_it(base_url: str, host: str):
    assert host_field(base_url) == host
