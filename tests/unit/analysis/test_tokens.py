import pytest

from unit.analysis.streams import NDJSON, SSE, chat_chunk, interaction, ndjson, sse
from wiretape.analysis.tokens import input_tokens, output_tokens, tokens_per_second, tokens_text
from wiretape.analysis.transcript import transcript


def read(chunks, headers=SSE, **given: object):
    return transcript(interaction(chunks, headers, **given))


def talking(words, **more: object):
    return sse(
        *(chat_chunk({"content": "a"}) for _ in range(words)), {**chat_chunk({}, "stop"), **more}
    )


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 5}, (3, 5)),
        ({"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 10}, (13, 5)),
        ({"prompt_tokens": "3", "completion_tokens": True}, (None, None)),
        ({"prompt_tokens": 110, "cache_read_input_tokens": 100}, (110, None)),
        ({"input_tokens": 110, "input_tokens_details": {"cached_tokens": 100}}, (110, None)),
        ({"prompt_tokens": 10**400, "completion_tokens": 10**400}, (None, None)),
        ({"prompt_tokens": 0}, (0, None)),
        ({}, (None, None)),
    ],
)
def test_tokens_are_counted_under_every_name(usage, counts):
    found = read(talking(2, usage=usage))
    assert (input_tokens(found), output_tokens(found)) == counts


def test_llamacpps_timings_count_where_usage_does_not_and_its_cache_too():
    timings = {"prompt_n": 1, "cache_n": 30, "predicted_n": 8, "predicted_per_second": 50.5}
    found = read(talking(2, timings=timings))
    assert (input_tokens(found), output_tokens(found), tokens_per_second(found)) == (31, 8, 50.5)
    assert tokens_text(found) == "31 tokens in, 8 out, 50.5 tokens/s"


def test_ollamas_own_duration_gives_the_speed():
    line = {"message": {"content": "a"}, "done": True, "eval_count": 10, "eval_duration": 2 * 10**9}
    assert tokens_per_second(read(ndjson(line), NDJSON, target="/api/chat")) == 5


@pytest.mark.parametrize(
    "counts",
    [
        {"eval_count": 10**400, "eval_duration": 10**9},
        {"eval_count": 10, "eval_duration": 10**400},
        {"eval_count": 10, "eval_duration": 5e-324},
    ],
    ids=["tokens", "time", "hardly any time"],
)
def test_no_absurd_count_makes_an_absurd_speed(counts):
    line = {"message": {"content": "a"}, "done": True, **counts}
    assert tokens_per_second(read(ndjson(line), NDJSON, target="/api/chat")) is None


def test_nor_does_one_among_the_chunks():
    assert tokens_text(read(talking(11, usage={"completion_tokens": 10**400}))) == ""


def test_else_the_chunks_do():
    # Eleven words, 10 ms apart.
    found = read(talking(11, usage={"completion_tokens": 11}))
    assert tokens_per_second(found) == pytest.approx(100)


@pytest.mark.parametrize(
    "chunks",
    [
        talking(2, usage={"completion_tokens": 64}),
        talking(1, usage={"completion_tokens": 1}),
        talking(9),
        [b"".join(talking(9, usage={"completion_tokens": 9}))],
    ],
    ids=["held back", "one token", "not counted", "one chunk"],
)
def test_where_the_chunks_cannot_tell_there_is_no_speed(chunks):
    assert tokens_per_second(read(chunks)) is None


def test_nothing_counted_says_nothing():
    assert tokens_text(read(talking(2))) == ""
