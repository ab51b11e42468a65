import itertools

from hypothesis import given
from hypothesis import strategies as st

from wiretape.analysis.ndjson import LineDecoder


def lines(*chunks: object):
    decoder = LineDecoder()
    found = [line for number, chunk in enumerate(chunks) for line in decoder.feed(chunk, number)]
    return found + decoder.close()


def test_lines_know_their_chunks_and_offsets():
    found = lines(b'{"a":1}\n{"b"', b":2}", b'\n\r\n{"c":3}')
    assert [(line.text, line.offset, line.first_chunk, line.last_chunk) for line in found] == [
        ('{"a":1}', 0, 0, 0),
        ('{"b":2}', 8, 0, 2),
        ('{"c":3}', 18, 2, 2),
    ]
    assert [line.ended for line in found] == [True, True, False]


def test_carriage_returns_blank_lines_and_a_byte_order_mark_are_no_content():
    assert [line.text for line in lines(b"\xef\xbb\xbf{}\r\n\n  \n[]\r\n")] == ["{}", "[]"]


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_lines_do_not_depend_on_how_the_bytes_are_split(stream, cuts):
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]

    def content(found):
        return [(line.text, line.offset, line.ended) for line in found]

    assert content(lines(*pieces)) == content(lines(stream))
