import pytest

from wiretape.cassette.redaction import SECRET_HEADERS, redact_headers


@pytest.mark.parametrize("name", ["Authorization", "COOKIE", "set-cookie", "X-Api-Key", "Api-Key"])
def test_secret_headers_lose_their_values_whatever_their_case(name):
    fields = ((name, "secret"), ("Accept", "*/*"), (name, "another"))
    redacted = ((name, "REDACTED"), ("Accept", "*/*"), (name, "REDACTED"))
    assert redact_headers(fields, frozenset()) == redacted


def test_the_user_can_add_headers():
    fields = (("X-Session", "secret"), ("X-Other", "open"))
    assert redact_headers(fields, frozenset({"x-session"})) == (
        ("X-Session", "REDACTED"),
        ("X-Other", "open"),
    )


def test_the_list_is_in_lower_case():
    assert {name.lower() for name in SECRET_HEADERS} == SECRET_HEADERS
    assert {"proxy-authorization", "x-goog-api-key"} <= SECRET_HEADERS
    assert {"ocp-apim-subscription-key", "x-portkey-api-key", "x-auth-token"} <= SECRET_HEADERS
    assert {"x-amz-security-token", "cf-access-client-secret"} <= SECRET_HEADERS
    assert {"x-litellm-api-key", "helicone-auth", "x-auth-key", "x-rapidapi-key"} <= SECRET_HEADERS
    assert {"x-vault-token", "openai-api-key", "anthropic-api-key"} <= SECRET_HEADERS
