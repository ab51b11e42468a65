import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.analysis.streams import chat_chunk, interaction, sse
from wiretape.analysis.timeline import in_words, last_us, longest_gap_us, strip
from wiretape.analysis.transcript import transcript

CHUNK = sse(chat_chunk({"content": "a"}))[0]


def timed(*times_us: int, **given: object):
    return interaction([CHUNK] * len(times_us), times_us=list(times_us), **given)


def test_blocks_stand_where_the_chunks_came_and_grow_with_their_number():
    # The head comes at 10 ms and the end 1 ms after the last chunk.
    recorded = timed(20_000, 21_000, 22_000, 23_000, 60_000, 98_999)
    assert strip(recorded, 10) == "░·█···▂··▂"


def test_without_a_head_all_is_waiting():
    assert strip(interaction([], status=None), 4) == "░░░░"


@given(st.lists(st.integers(10_000, 10**9), max_size=9), st.integers(1, 50))
def test_the_strip_is_as_wide_as_asked(times, width):
    assert len(strip(timed(*sorted(times)), width)) == width


@pytest.mark.parametrize(
    ("times", "gap"), [([], None), ([20_000], None), ([20_000, 25_000, 40_000], 15_000)]
)
def test_the_longest_gap_is_between_chunks(times, gap):
    assert longest_gap_us(timed(*times)) == gap


def test_the_words_leave_out_what_did_not_happen():
    assert in_words(transcript(timed(20_000, 40_000))) == (
        "head 10 ms, token 20 ms, gap 20 ms, end 41 ms"
    )
    assert in_words(transcript(interaction([], status=None, outcome=None))) == ""


def test_the_last_thing_known_ends_it():
    assert last_us(timed(20_000, outcome=None)) == 20_000
    assert last_us(interaction([], outcome=None)) == 10_000
