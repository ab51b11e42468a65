"""Is a cassette what crossed the proxy? Told without wiretape's own reader.

The upstream's every chunk is one event, and its answers hold their own checksum (load/shared.h).
So in a true recording each chunk entry is one line with one event, the events are numbered
through, and the bytes that the lines stand for add up to the checksum.
"""

from __future__ import annotations

import base64
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_CHUNK = re.compile(rb"- \{chunk: (\d+), at: (\d+)\.(\d{6}), sse: '(.*)'\}\n")
_EVENT = re.compile(rb'data: \{"id"[^\n]*"content":"#\d{19} \d{19} (\d{6}) [^\n]*\n\n')
_SUM = re.compile(rb'data: [^\n]*"bench":\{"events":(\d+),"adler32":(\d+)\}\}\n\n')
_EMPTY_SUM = 1


class FalseRecordingError(Exception):
    """A cassette is not what crossed the proxy."""


@dataclass(slots=True)
class _Answer:
    events: int = 0
    adler32: int = _EMPTY_SUM
    chunks: int = 0
    summed: bool = False
    done: bool = False
    ended: bool = False
    at_us: int = 0
    beginning: bytes = b""


def check_cassette(path: Path, answers: int, chunks: int) -> None:
    """Hold a cassette against what the client got.

    Args:
        path: the cassette.
        answers: how many the client got, all of them whole.
        chunks: how many HTTP chunks the upstream sent in them.

    Raises:
        FalseRecordingError: something is missing, merged, split, out of order or changed.
    """
    found: dict[int, _Answer] = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{path.name}:{number}"
            chunk = _CHUNK.fullmatch(line)
            if chunk is not None:
                answer = found.setdefault(int(chunk[1]), _Answer())
                event = b"data: %b\n\n" % chunk[4].replace(b"''", b"'")
                _take(answer, int(chunk[2]) * 1_000_000 + int(chunk[3]), event, where)
            elif line.startswith(b"- {"):
                _take_other(found, yaml.load(line, Loader=yaml.CSafeLoader)[0], where)
    whole = sum(each.summed and each.done and each.ended for each in found.values())
    total = sum(each.chunks for each in found.values())
    if (whole, len(found), total) != (answers, answers, chunks):
        raise FalseRecordingError(
            f"{path.name} holds {whole} whole answers of {len(found)}, {total} chunks;"
            f" the client got {answers}, {chunks}"
        )


def _take_other(found: dict[int, _Answer], entry: dict[str, Any], where: str) -> None:
    """An end, or what is a chunk but not on one plain line: a part of one, seldom."""
    if "end" in entry:
        found[entry["end"]].ended = entry["outcome"] == "complete"
        return
    answer = found.setdefault(entry["chunk"], _Answer())
    if "text" in entry:
        data = entry["text"].encode()
    elif "base64" in entry:
        data = base64.b64decode(entry["base64"])
    elif isinstance(entry["sse"], str):
        data = f"data: {entry['sse']}\n\n".encode()
    else:
        raise FalseRecordingError(f"{where}: several events in one chunk")
    if entry.get("part"):
        answer.beginning += data
    else:
        _take(answer, round(entry["at"] * 1e6), data, where)


def _take(answer: _Answer, at_us: int, data: bytes, where: str) -> None:
    """One whole chunk."""
    data, answer.beginning = answer.beginning + data, b""
    if at_us < answer.at_us:
        raise FalseRecordingError(f"{where}: time goes back")
    answer.at_us = at_us
    answer.chunks += 1
    event = _EVENT.fullmatch(data)
    if event is not None:
        if int(event[1]) != answer.events % 1_000_000:
            raise FalseRecordingError(f"{where}: event {answer.events} was due")
        answer.events += 1
        answer.adler32 = zlib.adler32(data, answer.adler32)
        return
    total = _SUM.fullmatch(data)
    if total is not None:
        answer.summed = (int(total[1]), int(total[2])) == (answer.events, answer.adler32)
    elif data == b"data: [DONE]\n\n":
        answer.done = True
    else:
        raise FalseRecordingError(f"{where}: not one event of the upstream's")
