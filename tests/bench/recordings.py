"""Cassettes to replay, made without recording, so that each recorded time in them is exact.

They hold what the load tools would have sent and asked (load/client.c, load/upstream.c).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BEGAN_NS = 1_000_000_000_000
_EVENT = (
    '{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1763800000,"model":"bench",'
    '"choices":[{"index":0,"delta":{"content":"#%019d %019d %06d %s"},"finish_reason":null}]}'
)
_SUM = (
    '{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1763800000,"model":"bench",'
    '"choices":[],"bench":{"events":%d,"adler32":%d}}'
)
_WORDS = "it's all the same to a #proxy what words these are: it passes them on, it's all the same"
_SIZE = 300


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a cassette's answers lie in time.

    Attributes:
        answers: how many.
        events: of each.
        gap_us: between the events of one answer.
        at_once: how many begin together; the next as many begin when these have ended.
        spread_us: within which those that begin together begin, as the client does it.
    """

    answers: int
    events: int
    gap_us: int = 100
    at_once: int = 1
    spread_us: int = 0


def write_cassette(path: Path, recorded: Recorded, key: str = "k", first: int = 0) -> Path:
    """A cassette that answers `at_once` streams of the client's, which share all its answers.

    Args:
        path: where to write it.
        recorded: what is in it.
        key: as the client is told.
        first: the number in the first request's key.
    """
    lines: list[tuple[int, str]] = []
    wave_us = recorded.gap_us * (recorded.events + 4) + recorded.spread_us
    waves = recorded.answers // recorded.at_once
    offsets_us = [offset_ns // 1000 for offset_ns in _starts(recorded)]
    for wave in range(waves):
        for stream in range(recorded.at_once):
            number = wave * recorded.at_once + stream + 1
            words = f"{key}-{first + stream * waves + wave}"
            lines += _interaction(number, words, recorded, wave * wave_us + offsets_us[stream])
    if recorded.at_once > 1:
        lines.sort(key=lambda line: line[0])
    head = (
        "wiretape: 1\nrecorded: 2026-11-22T10:31:02.000000Z\n"
        "upstream: http://127.0.0.1:11434\nentries:\n"
    )
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        file.writelines(text for _, text in lines)
    return path


def _starts(recorded: Recorded) -> Iterator[int]:
    """When the client begins each stream, in nanoseconds."""
    seed = 42
    for _ in range(recorded.at_once):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (seed >> 33) % (recorded.spread_us * 1000) if recorded.spread_us else 0


def _interaction(number: int, key: str, recorded: Recorded, start_us: int) -> list[tuple[int, str]]:
    content = f"bench n={recorded.events} gap_us={recorded.gap_us} size={_SIZE} key={key}."
    length = len(_body(content))
    request = (
        f"- request: {number}\n  at: {_at(start_us)}\n  method: POST\n"
        "  target: /v1/chat/completions\n"
        f"  headers: {{Content-Type: application/json, Content-Length: {length}}}\n"
        "  json:\n    model: bench\n    stream: true\n    messages:\n"
        f"    - {{role: user, content: {content}}}\n"
    )
    response = (
        f"- response: {number}\n  at: {_at(start_us + 50)}\n  status: 200\n"
        "  headers: {Content-Type: text/event-stream, Transfer-Encoding: chunked}\n"
    )
    lines = [(start_us, request), (start_us + 50, response)]
    filler = (_WORDS * 2)[: _SIZE - len(_EVENT % (0, 0, 0, "")) - len("data: \n\n")]
    checksum = 1
    asked_ns = BEGAN_NS + start_us * 1000
    at_us = start_us
    for index in range(recorded.events):
        at_us = start_us + (index + 1) * recorded.gap_us
        event = _EVENT % (BEGAN_NS + at_us * 1000, asked_ns, index % 1_000_000, filler)
        checksum = zlib.adler32(f"data: {event}\n\n".encode(), checksum)
        lines.append((at_us, _chunk(number, at_us, event)))
    at_us += recorded.gap_us
    lines.append((at_us, _chunk(number, at_us, _SUM % (recorded.events, checksum))))
    lines.append((at_us, _chunk(number, at_us, "[DONE]")))
    lines.append((at_us, f"- {{end: {number}, at: {_at(at_us)}, outcome: complete}}\n"))
    return lines


def edited_by_hand(path: Path, edited: Path) -> Path:
    """The same cassette as somebody might have left it, who reindented it."""
    head, entries = path.read_text(encoding="utf-8").split("entries:\n", 1)
    indented = "".join(f"  {line}" for line in entries.splitlines(keepends=True))
    edited.write_text(f"# looked through\n{head}entries:\n{indented}", encoding="utf-8")
    return edited


def _body(content: str) -> str:
    messages = [{"role": "user", "content": content}]
    body = {"model": "bench", "stream": True, "messages": messages}
    return json.dumps(body, separators=(",", ":"))


def _chunk(number: int, at_us: int, event: str) -> str:
    quoted = event.replace("'", "''")
    return f"- {{chunk: {number}, at: {_at(at_us)}, sse: '{quoted}'}}\n"


def _at(at_us: int) -> str:
    return f"{at_us // 1_000_000}.{at_us % 1_000_000:06d}"
