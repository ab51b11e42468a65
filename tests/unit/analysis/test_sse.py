import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.analysis.sse import NO_DATA, TRUNCATED, SseDecoder


def decoded(*chunks: object):
    decoder = SseDecoder()
    events = [event for number, chunk in enumerate(chunks) for event in decoder.feed(chunk, number)]
    return events + decoder.close()


def dispatched(stream):
    return [(event.event, event.data) for event in decoded(stream) if event.error is None]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        # The examples of the standard, section 9.2.6.
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [(None, "YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first\nid: 1\n\ndata:second event\nid\n\ndata:  third\n\n",
            [(None, "first"), (None, "second event"), (None, " third")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [(None, ""), (None, "\n")]),
        (b"data:test\n\ndata: test\n\n", [(None, "test"), (None, "test")]),
        # Line ends and the byte order mark.
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [(None, "a"), (None, "b"), (None, "c")]),
        (b"\xef\xbb\xbfdata: a\n\n", [(None, "a")]),
        (b"data: a\n\xef\xbb\xbfdata: b\n\n", [(None, "a")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: b\n\n", []),
        # Fields.
        (b"event: x\ndata: a\n\ndata: b\n\n", [("x", "a"), (None, "b")]),
        (b"event: x\n\ndata: b\n\n", [(None, "b")]),
        (b"event: x\nevent: y\ndata: b\n\n", [("y", "b")]),
        (b"Data: a\ndata : b\n\n", []),
        (b"data:a:b\n\n", [(None, "a:b")]),
        (b":data: a\n\n", []),
        ("data: é\u2028\x85x\n\n".encode(), [(None, "é\u2028\x85x")]),
        (b"data: a\xff\xe2\x82\n\n", [(None, "a\ufffd\ufffd")]),
        # No dispatch without the blank line.
        (b"data: a\n", []),
        (b"data: a", []),
        (b"", []),
    ],
)
def test_streams_mean_what_the_standard_says(stream, events):
    assert dispatched(stream) == events


def test_ids_and_times_to_retry_are_known_and_change_no_event():
    events = decoded(b"id: 7\nretry: 1500\n\nid: 8\0\nretry: 2s\ndata: a\n\n")
    assert [(event.data, event.ignored, event.error) for event in events] == [("a", (), None)]


def test_an_event_knows_its_chunks_and_its_offset():
    events = decoded(b": hi\n\nda", b"ta: a\r", b"\n\r", b"\ndata: b\n\n")
    assert [(event.first_chunk, event.last_chunk, event.offset) for event in events] == [
        (0, 2, 6),
        (3, 3, 17),
    ]


def test_what_the_end_cuts_off_is_kept_and_flagged():
    (event,) = decoded(b'event: x\ndata: {"a":', b'"b')
    assert (event.data, event.event, event.error) == ('{"a":"b', "x", TRUNCATED)
    assert (event.first_chunk, event.last_chunk, event.offset) == (0, 1, 0)


@pytest.mark.parametrize("rest", [b": comment", b"\n", b"", b"id: 5\n", b"retry: 1\n"])
def test_an_end_with_nothing_under_way_leaves_nothing(rest):
    assert [event.error for event in decoded(b"data: a\n\n" + rest)] == [None]


def test_a_stream_of_nothing_but_a_byte_order_mark_is_empty():
    assert decoded(b"\xef\xbb", b"\xbf") == []


def test_a_block_without_data_keeps_the_lines_that_clients_ignore():
    (event,) = decoded(b'error: {"code":500}\n\n')
    assert (event.data, event.ignored, event.error) == ("", ('error: {"code":500}',), NO_DATA)


STREAMS = st.lists(
    st.sampled_from(
        [
            b"data",
            b"event",
            b"id",
            b"retry",
            b":",
            b" ",
            b"\r",
            b"\n",
            b"\r\n",
            b"\n\n",
            b"x",
            b"5",
            "é".encode(),
            "🙂".encode(),
            b"\xef\xbb\xbf",
            b"\xff",
            b"\0",
            b"data: {}\n\n",
        ]
    )
).map(b"".join)


@given(stream=STREAMS, cuts=st.lists(st.integers(0, 80)))
def test_events_do_not_depend_on_how_the_bytes_are_split(stream, cuts):
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]

    def content(events):
        return [(e.data, e.event, e.offset, e.ignored, e.error) for e in events]

    assert content(decoded(*pieces)) == content(decoded(stream))


@given(stream=STREAMS)
def test_an_event_spans_the_chunks_of_its_bytes(stream):
    for event in decoded(*(bytes([byte]) for byte in stream)):
        assert event.first_chunk == event.offset <= event.last_chunk
