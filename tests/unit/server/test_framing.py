import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.server.framing import BodyDecoder, Framing, FramingError, encode_pieces

chunk_lists = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
# As many as are decoded at once, some of which cannot be.
many_chunks = st.lists(
    st.sampled_from([b"a", b"data: x\n\n"] * 8 + [b"\r\n", b"b\r", b"0\r\n\r\n", b"c" * 2050]),
    max_size=80,
)


@st.composite
def splits(draw: st.DrawFn, data: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=20)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def whole(pieces: list[tuple[bytes, bool]]) -> list[bytes]:
    chunks: list[bytes] = []
    inside = False
    for data, part in pieces:
        if inside:
            chunks[-1] += data
        else:
            chunks.append(data)
        inside = part
    return chunks


@given(
    st.data(),
    chunk_lists | many_chunks,
    st.sampled_from([b"%x", b"%x", b"%X;ext=1", b"%03x"]),
    st.sampled_from([b"", b"X-Trailer: 1\r\n", b"A: 1\r\nB: 2\r\n"]),
)
def test_chunks_come_out_however_the_reads_fall(
    data: st.DataObject, chunks: list[bytes], size: bytes, trailer: bytes
):
    wire = b"".join(size % len(each) + b"\r\n%b\r\n" % each for each in chunks)
    decoder = BodyDecoder(Framing.CHUNKED)
    pieces: list[tuple[bytes, bool]] = []
    seen = b""
    for read in data.draw(splits(wire + b"0\r\n" + trailer + b"\r\n")):
        decoder.feed(read)
        batch = decoder.take()
        pieces += batch.pieces
        seen += b"".join(batch.wire)
    assert decoder.complete
    assert whole(pieces) == chunks
    assert seen == wire


MANY = [b"data: %d\n\n" % number for number in range(12)]
MANY_ON_THE_WIRE = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in MANY)


def test_many_chunks_come_out_wherever_a_read_ends():
    wire = MANY_ON_THE_WIRE + b"0\r\n\r\n"
    for cut in range(len(wire) + 1):
        decoder = BodyDecoder(Framing.CHUNKED)
        decoder.feed(wire[:cut])
        decoder.feed(wire[cut:])
        assert decoder.complete, cut
        assert not decoder.excess, cut
        assert whole(decoder.batch.pieces) == MANY, cut
        assert b"".join(decoder.batch.wire) == MANY_ON_THE_WIRE, cut


def test_many_chunks_after_the_last_one_are_none_of_the_body():
    decoder = BodyDecoder(Framing.CHUNKED)
    decoder.feed(MANY_ON_THE_WIRE + b"0\r\n\r\n" + MANY_ON_THE_WIRE)
    assert decoder.complete
    assert decoder.excess
    assert [data for data, _ in decoder.batch.pieces] == MANY


@given(st.data(), chunk_lists)
def test_pieces_are_given_out_as_they_come(data: st.DataObject, chunks: list[bytes]):
    wire = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks)
    decoder = BodyDecoder(Framing.CHUNKED)
    cut = data.draw(st.integers(0, len(wire)))
    decoder.feed(wire[:cut])
    came = b"".join(piece for piece, _ in decoder.batch.pieces)
    expected = b""
    position = 0
    for each in chunks:
        position += len(b"%x\r\n" % len(each))
        expected += each[: max(0, cut - position)]
        position += len(each) + 2
    assert came == expected


@given(chunk_lists)
def test_encoding_gives_the_wire_back(chunks: list[bytes]):
    wire = b"".join(encode_pieces([(each, False) for each in chunks]))
    assert wire == b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks)


def test_a_chunk_in_pieces_is_encoded_with_its_whole_size():
    assert encode_pieces([(b"ab", True), (b"", True), (b"c", False)]) == [b"3\r\nab", b"", b"c\r\n"]


def test_a_chunk_that_never_ended_stays_unfinished():
    decoder = BodyDecoder(Framing.CHUNKED)
    decoder.feed(b"".join(encode_pieces([(b"ab", True)])))
    assert decoder.take().pieces == [(b"ab", True)]


def test_an_empty_chunk_is_not_mistaken_for_the_last():
    assert encode_pieces([(b"", False), (b"a", False)]) == [b"", b"1\r\na\r\n"]


@pytest.mark.parametrize(
    "wire", [b"x\r\n", b"-1\r\n", b"0x5\r\n", b"1_0\r\n", b"\r\n", b"2\r\nabc\r\n", b"5 5\r\n"]
)
def test_broken_chunked_coding_is_an_error(wire: bytes):
    decoder = BodyDecoder(Framing.CHUNKED)
    with pytest.raises(FramingError):
        decoder.feed(wire)


def test_what_came_before_broken_coding_is_kept():
    decoder = BodyDecoder(Framing.CHUNKED)
    with pytest.raises(FramingError):
        decoder.feed(b"2\r\nab\r\nnonsense\r\n")
    assert decoder.take().pieces == [(b"ab", False)]


def test_endless_lines_are_refused():
    decoder = BodyDecoder(Framing.CHUNKED)
    with pytest.raises(FramingError, match="too long"):
        decoder.feed(b"5;" + b"x" * 20_000)
    decoder = BodyDecoder(Framing.CHUNKED)
    with pytest.raises(FramingError, match="too long"):
        decoder.feed(b"0\r\nA: " + b"x" * 20_000)


def test_a_body_of_a_length_ends_at_its_length():
    decoder = BodyDecoder(Framing.LENGTH, 5)
    decoder.feed(b"abc")
    assert not decoder.complete
    decoder.feed(b"defgh")
    assert decoder.complete
    assert decoder.take().pieces == [(b"abc", False), (b"de", False)]


def test_only_a_body_framed_by_closing_is_completed_by_it():
    until_close, chunked = BodyDecoder(Framing.UNTIL_CLOSE), BodyDecoder(Framing.CHUNKED)
    for decoder in (until_close, chunked):
        decoder.feed_eof()
    assert until_close.complete
    assert not chunked.complete


def test_no_body_is_complete_from_the_start():
    assert BodyDecoder(Framing.NONE).complete
    assert BodyDecoder(Framing.LENGTH, 0).complete


def test_what_came_before_a_trailer_without_end_goes_on_as_it_is():
    decoder = BodyDecoder(Framing.CHUNKED)
    with pytest.raises(FramingError, match="trailer"):
        decoder.feed(b"2\r\nok\r\n0\r\n" + b"X: y\r\n" * 60_000)
    assert decoder.batch.pieces == [(b"ok", False)]
    assert b"".join(decoder.batch.wire) == b"2\r\nok\r\n"
