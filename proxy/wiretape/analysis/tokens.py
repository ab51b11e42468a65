"""How many tokens went in and came out, and how fast, from whatever the server said.

Knows the names under which servers count; makes nothing up where they do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wiretape.analysis.answer import Transcript

_INPUT = ("prompt_tokens", "input_tokens", "prompt_eval_count")
_OUTPUT = ("completion_tokens", "output_tokens", "eval_count")


def _count(fields: dict[str, Any] | None, names: tuple[str, ...]) -> int | None:
    for name in names:
        value = (fields or {}).get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def input_tokens(transcript: Transcript) -> int | None:
    """Tokens of the prompt; None if the server did not say."""
    counted = _count(transcript.usage, _INPUT)
    return counted if counted is not None else _count(transcript.timings, ("prompt_n",))


def output_tokens(transcript: Transcript) -> int | None:
    """Tokens of the answer; None if the server did not say."""
    counted = _count(transcript.usage, _OUTPUT)
    return counted if counted is not None else _count(transcript.timings, ("predicted_n",))


def tokens_per_second(transcript: Transcript) -> float | None:
    """Output tokens per second between the first and the last chunk, as seen by the proxy.

    The first token stands at the start of that time, so one less is divided. None where the
    server did not count, or where there is no time between chunks: a body sent whole.
    """
    count, chunks = output_tokens(transcript), transcript.interaction.chunks
    if count is None or count < 2 or len(chunks) < 2:  # noqa: PLR2004 -- two ends of a time
        return None
    first = transcript.first_said_us
    lasted_us = chunks[-1].at_us - (first if first is not None else chunks[0].at_us)
    return (count - 1) * 1e6 / lasted_us if lasted_us > 0 else None


def tokens_text(transcript: Transcript) -> str:
    """The counts for people: `12 tokens in, 30 out, 45.1/s`; "" if the server did not count."""
    given, taken = input_tokens(transcript), output_tokens(transcript)
    said = []
    if given is not None:
        said.append(f"{given:,} tokens in")
    if taken is not None:
        said.append(f"{taken:,} out" if said else f"{taken:,} tokens out")
    speed = tokens_per_second(transcript)
    if speed is not None:
        said.append(f"{speed:.1f}/s")
    return ", ".join(said)
