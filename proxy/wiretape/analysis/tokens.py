"""How many tokens went in and came out, and how fast, from whatever the server said.

Knows the names under which servers count; makes nothing up where they do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.analysis.answer import SAID
from wiretape.analysis.shape import as_number

if TYPE_CHECKING:
    from wiretape.analysis.answer import Transcript

_INPUT = ("prompt_tokens", "prompt_eval_count")
_INPUT_LESS_CACHED = ("input_tokens",)
_OUTPUT = ("completion_tokens", "output_tokens", "eval_count")
_CACHED = ("cache_read_input_tokens", "cache_creation_input_tokens")
_MOST = 10**15  # more than this is no count
TOKENS_PER_CHUNK = 8
"""A stream with more tokens than this to a chunk was held back, and tells no speed."""


def _count(fields: dict[str, Any] | None, names: tuple[str, ...]) -> int | None:
    for name in names:
        value = (fields or {}).get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
            return value
    return None


def input_tokens(transcript: Transcript) -> int | None:
    """Tokens of the prompt, cached ones too; None if the server did not say.

    Anthropic counts cached tokens apart, and so do llama.cpp's timings. A gateway may tell them
    beside OpenAI's count, which has them in it.
    """
    usage, timings = transcript.usage, transcript.timings
    counted = _count(usage, _INPUT)
    if counted is not None:
        return counted
    counted = _count(usage, _INPUT_LESS_CACHED)
    if counted is not None:
        return counted + sum(_count(usage, (name,)) or 0 for name in _CACHED)
    counted = _count(timings, ("prompt_n",))
    return None if counted is None else counted + (_count(timings, ("cache_n",)) or 0)


def output_tokens(transcript: Transcript) -> int | None:
    """Tokens of the answer; None if the server did not say."""
    counted = _count(transcript.usage, _OUTPUT)
    return counted if counted is not None else _count(transcript.timings, ("predicted_n",))


def tokens_per_second(transcript: Transcript) -> float | None:
    """Output tokens per second, as the server measured it, else as the chunks came.

    As the chunks came: the tokens after the first, divided by the time from the first piece of
    the answer to the last. None where nobody counted, and where the pieces are too few to tell.
    """
    usage, timings = transcript.usage or {}, transcript.timings or {}
    lasted_ns = as_number(usage.get("eval_duration"))
    count = output_tokens(transcript)
    if count and lasted_ns:
        return as_number(count * 1e9 / lasted_ns)
    measured = as_number(timings.get("predicted_per_second"))
    if measured:
        return measured
    chunks = [span.chunk for span in transcript.spans if span.part in SAID]
    if not count or len(set(chunks)) < max(2, count / TOKENS_PER_CHUNK):
        return None
    times = transcript.interaction.chunks
    lasted_us = times[chunks[-1]].at_us - times[chunks[0]].at_us
    return (count - 1) * 1e6 / lasted_us if lasted_us > 0 and count > 1 else None


def tokens_text(transcript: Transcript) -> str:
    """The counts for people: `12 tokens in, 30 out, 45.1/s`; "" if the server did not count."""
    given, taken = input_tokens(transcript), output_tokens(transcript)
    said = []
    if given is not None:
        said.append(f"{given:,} {'token' if given == 1 else 'tokens'} in")
    if taken is not None:
        said.append(f"{taken:,} out")
    speed = tokens_per_second(transcript)
    if speed is not None:
        said.append(f"{speed:.1f} tokens/s")
    return ", ".join(said)
