import pytest

from wiretape.core.routing import (
    Dialect,
    SessionName,
    check_cassette_name,
    dialect,
    error_body,
    is_metadata,
    origin_form,
    parse_session_name,
    route,
)
from wiretape.errors import UsageError


@pytest.mark.parametrize(
    ("raw_target", "header", "session", "target"),
    [
        ("/v1/models", None, SessionName(), "/v1/models"),
        ("/@chat/v1/models?a=1", None, SessionName("chat"), "/v1/models?a=1"),
        ("/@a%2Fb/v1/models", None, SessionName("a/b"), "/v1/models"),
        ("/@chat~w1/api/chat", None, SessionName("chat", "w1"), "/api/chat"),
        ("/@caf%C3%A9/x", None, SessionName("café"), "/x"),
        ("/@chat", None, SessionName("chat"), "/"),
        ("/@chat?x=/y", None, SessionName("chat"), "/?x=/y"),
        ("/@chat/a%2Fb//c", None, SessionName("chat"), "/a%2Fb//c"),
        ("/v1/models", "chat~w2", SessionName("chat", "w2"), "/v1/models"),
        ("/@path/v1", "header", SessionName("path"), "/v1"),
        ("http://host:80/v1/models?a", None, SessionName(), "/v1/models?a"),
        ("http://host/v1/models?", None, SessionName(), "/v1/models?"),
        ("HTTP://host", None, SessionName(), "/"),
        ("http://host?a=/b", None, SessionName(), "/?a=/b"),
        ("http://host/@chat/v1#x", None, SessionName("chat"), "/v1"),
        ("/v1/@x", None, SessionName(), "/v1/@x"),
    ],
)
def test_a_target_is_split_into_session_and_upstream_target(
    raw_target: str, header: str | None, session: SessionName, target: str
):
    found = route(raw_target, header)
    assert (found.session, found.target) == (session, target)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../x",
        "a/../b",
        "/etc/passwd",
        "a//b",
        "a/",
        ".",
        "a/.hidden",
        "a\0b",
        "a\nb",
        "a\\b",
        "a\x7fb",
        "x" * 300,
        "a~b~c",
        "a~",
        "a~/",
        "a~..",
    ],
)
def test_names_that_leave_the_directory_are_refused(name: str):
    with pytest.raises(UsageError, match="bad cassette name"):
        parse_session_name(name)


@pytest.mark.parametrize("target", ["/@../v1", "/@%2e%2e/v1", "/@%2Fetc/v1", "/@a%00/v1", "/@%FF/"])
def test_bad_names_in_the_path_are_refused(target: str):
    with pytest.raises(UsageError, match="bad cassette name"):
        route(target, None)


@pytest.mark.parametrize("target", ["*", "host:443"])
def test_targets_without_a_path_are_refused(target: str):
    with pytest.raises(UsageError, match="no path"):
        origin_form(target)


def test_a_typed_file_ending_is_taken_off_a_name():
    assert check_cassette_name("chat.yaml") == "chat"
    assert check_cassette_name("a/qwen2.5:7b") == "a/qwen2.5:7b"


@pytest.mark.parametrize(
    ("target", "spoken"),
    [
        ("/v1/chat/completions", Dialect.OPENAI),
        ("/v1/messages?beta=true", Dialect.ANTHROPIC),
        ("/v1/messages/count_tokens", Dialect.ANTHROPIC),
        ("/api/chat", Dialect.OLLAMA),
        ("/anything", Dialect.OPENAI),
    ],
)
def test_the_dialect_follows_from_the_path(target: str, spoken: Dialect):
    assert dialect(target) is spoken


def test_errors_are_spoken_in_the_callers_dialect():
    def body(target: str) -> dict[str, object]:
        return error_body(target, "text", kind="kind", code="code")

    assert body("/api/chat") == {"error": "text"}
    assert body("/v1/messages") == {"type": "error", "error": {"type": "kind", "message": "text"}}
    assert body("/v1/responses") == {
        "error": {"message": "text", "type": "kind", "param": None, "code": "code"}
    }


def test_metadata_is_what_only_asks_about_the_server():
    assert is_metadata("GET", "/v1/models")
    assert is_metadata("HEAD", "/")
    assert is_metadata("POST", "/api/show?x")
    assert not is_metadata("POST", "/api/chat")
