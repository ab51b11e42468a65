import pytest

from wiretape.analysis.endings import stream_finished

SSE = "text/event-stream; charset=utf-8"
NDJSON = "application/x-ndjson"


@pytest.mark.parametrize(
    ("tail", "content_type"),
    [
        (b"data: [DONE]\n\n", SSE),
        (b"data: [DONE]\r\n\r\n", SSE),
        (b"data:[DONE]\n\n: bye\n\n", SSE),
        (b"tail of another event\n\ndata: [DONE]\n\n", SSE),
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', SSE),
        (b'data: {"type":"response.completed","response":{}}\n\n', SSE),
        (b'data: {"type":"response.failed"}\n\n', SSE),
        (b'data: {"type":"response.incomplete"}\n\n', SSE),
        (b'data: {"a":1}\n\ndata: [DONE]\n\ndata: {"b', SSE),
        (b'{"done":false}\n{"message":{},"done":true}\n', NDJSON),
        (b'{"message":{},"done":true}', NDJSON),
        (b'{"done":true}\n{"tor', NDJSON),
    ],
)
def test_a_stream_that_said_its_last_word_is_finished(tail, content_type):
    assert stream_finished(tail, content_type)


@pytest.mark.parametrize(
    ("tail", "content_type"),
    [
        (b"", SSE),
        (b"data: [DONE]\n", SSE),
        (b"data: [DONE]", SSE),
        (b'data: {"choices":[{"delta":{"content":"data: [DONE]\\n\\n"}}]}\n\n', SSE),
        (b'data: [DONE]\n\ndata: {"more":1}\n\n', SSE),
        (b'data: {"delta":{"text":"message_stop"},"type":"content_block_delta"}\n\n', SSE),
        (b'data: {"x":{"type":"message_stop"}}\n\n', SSE),
        (b'data: {"type":["message_stop"]}\n\n', SSE),
        (b"\xff\xfe\n\n", SSE),
        (b'{"done":false}\n', NDJSON),
        (b'{"message":{"content":"\\"done\\":true"},"done":false}\n', NDJSON),
        (b'{"done":true}\n{"done":false}\n', NDJSON),
        (b'{"done":1}\n', NDJSON),
        (b'{"done":tr', NDJSON),
        (b"data: [DONE]\n\n", NDJSON),
        (b'{"done":true}\n', "application/json"),
        (b"data: [DONE]\n\n", ""),
    ],
)
def test_a_stream_with_more_to_say_is_not(tail, content_type):
    assert not stream_finished(tail, content_type)
