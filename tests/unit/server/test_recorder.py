"""What recording costs, whatever crosses."""

from __future__ import annotations

from pathlib import Path

from wiretape.core.model import EMPTY_BODY, Outcome
from wiretape.server.recorder import Recorder


class Watched(bytes):
    """Bytes that count how often their end is looked at."""

    __slots__ = ()
    looks = 0

    def endswith(self, *arguments: object) -> bool:
        Watched.looks += 1
        return super().endswith(*arguments)  # type: ignore[arg-type]  # passed on as they are


async def test_a_stream_that_ends_no_event_costs_the_same_for_each_chunk(tmp_path: Path):
    recorder = Recorder(tmp_path / "plain.yaml", "http://127.0.0.1:11434")
    record = recorder.begin("POST", "/", (), EMPTY_BODY)
    record.head(200, (("Content-Type", "text/plain"),))
    for _ in range(1000):
        record.chunks([(Watched(b"abcd"), False)])
    record.end(Outcome.COMPLETE)
    recorder.close()
    assert Watched.looks <= 2000
