import pytest

from wiretape.core.addresses import Address
from wiretape.environment import NO_KEY, client_environment, redirected, upstream_of
from wiretape.errors import UsageError

URL = "http://127.0.0.1:4321"


def test_every_client_is_led_to_the_proxy():
    changes = client_environment(URL, {})

    assert changes["OPENAI_BASE_URL"] == f"{URL}/v1"
    assert changes["OPENAI_API_BASE"] == f"{URL}/v1"
    assert changes["OLLAMA_BASE_URL"] == f"{URL}/v1"
    assert changes["OLLAMA_HOST"] == URL
    assert changes["OLLAMA_API_BASE"] == URL
    assert changes["ANTHROPIC_BASE_URL"] == URL


def test_a_key_that_is_set_stays_and_a_missing_or_empty_one_is_stood_in_for():
    changes = client_environment(URL, {"OPENAI_API_KEY": "mine", "ANTHROPIC_API_KEY": ""})

    assert "OPENAI_API_KEY" not in changes
    assert changes["ANTHROPIC_API_KEY"] == NO_KEY


def test_no_key_stands_in_where_it_would_beat_a_token():
    assert "ANTHROPIC_API_KEY" not in client_environment(URL, {"ANTHROPIC_AUTH_TOKEN": "mine"})


def test_other_proxies_are_kept_out_in_both_spellings():
    changes = client_environment(URL, {})

    assert changes["NO_PROXY"] == changes["no_proxy"] == "127.0.0.1,localhost"


def test_what_was_excepted_from_other_proxies_stays_excepted():
    changes = client_environment(URL, {"NO_PROXY": "intranet, localhost"})

    assert changes["NO_PROXY"] == changes["no_proxy"] == "intranet,localhost,127.0.0.1"


def test_each_spelling_keeps_what_it_has():
    changes = client_environment(URL, {"NO_PROXY": "a", "no_proxy": "*"})

    assert changes["NO_PROXY"] == "a,127.0.0.1,localhost"
    assert changes["no_proxy"] == "*"


def test_what_was_redirected_before_can_be_told():
    environ = {"OPENAI_BASE_URL": "http://gpu:8000/v1", "OLLAMA_HOST": "box", "PATH": "/bin"}

    assert redirected(environ) == {"OPENAI_BASE_URL": "http://gpu:8000/v1"}


def test_the_upstream_is_what_ollama_clients_are_led_to_or_ollamas_usual_place():
    assert upstream_of({"OLLAMA_HOST": "box:1"}) == "http://box:1"
    assert upstream_of({"OLLAMA_HOST": " "}) == upstream_of({}) == "http://127.0.0.1:11434"


def test_the_proxy_is_not_its_own_upstream():
    environ = {"OLLAMA_HOST": "localhost:11435"}

    assert upstream_of(environ, Address("127.0.0.1", 11435)) == "http://127.0.0.1:11434"
    assert upstream_of(environ, Address("127.0.0.1", 1)) == "http://localhost:11435"


def test_what_is_no_address_is_no_upstream():
    with pytest.raises(UsageError):
        upstream_of({"OLLAMA_HOST": "ftp://box"})
    with pytest.raises(UsageError, match="is not a URL"):
        upstream_of({"OLLAMA_HOST": "http://user:password@h:1"}, Address("127.0.0.1", 11435))
