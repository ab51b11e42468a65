"""A chunk by itself is recorded as it is among others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wiretape.cassette.loader import load
from wiretape.cassette.redaction import Redactor
from wiretape.cassette.secrets import Secrets
from wiretape.core.model import EMPTY_BODY, Cassette
from wiretape.server.recorder import Recorder

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n'
KEY = b"sk-proj-" + b"a1B2" * 12
PIECES = st.sampled_from(
    [
        EVENT % b" word",
        EVENT % b" more",
        EVENT % b'a \\"quote',
        EVENT % KEY,
        EVENT % KEY[:9],
        EVENT % KEY[9:],
        (EVENT % b"cut")[:30],
        (EVENT % b"cut")[30:],
        b"data: [DONE]\n\n",
        b": a comment\n\n",
        b"\xff\n\n",
    ]
)


async def recorded(pieces: list[bytes], folder: Path, *, apart: bool) -> Cassette:
    """A cassette of these, whose client has left after them, at one moment all of them."""
    recorder = Recorder(folder / "c.yaml", "http://127.0.0.1:11434")
    await recorder.open()
    clock: Any = SimpleNamespace(now_us=lambda: 5)
    recorder.clock = clock
    record = recorder.begin("POST", "/", (), EMPTY_BODY)
    record.head(200, (("Content-Type", "text/event-stream"),))
    for data in pieces:
        if apart:
            record.chunk(data)
        else:
            record.chunks([(data, False)])
    record.client_left()
    recorder.close()
    return load(folder / "c.yaml")


async def test_a_head_with_no_more_than_a_chunks_size_is_in_the_journal_before_it_is_sent(
    tmp_path: Path,
):
    recorder = Recorder(tmp_path / "c.yaml", "http://127.0.0.1:11434")
    await recorder.open()
    record = recorder.begin("POST", "/", (), EMPTY_BODY)
    record.head(200, ())
    record.chunks([])
    journalled = (tmp_path / "c.yaml.part").read_text()
    recorder.close()
    assert "- response: 1\n" in journalled


async def test_a_chunk_that_would_read_longer_without_its_secret_is_written_in_base64(
    tmp_path: Path,
):
    redactor = Redactor(Secrets([r"(?s)BEGIN(.*?)END"]))
    recorder = Recorder(tmp_path / "c.yaml", "http://127.0.0.1:11434", redactor=redactor)
    await recorder.open()
    record = recorder.begin("POST", "/", (), EMPTY_BODY)
    record.head(200, (("Content-Type", "image/jpeg"),))
    image = b"\xff\xd8\xff\xe0" + b"\0\x10JFIF" + b"\0\1" * 20
    for data in (b"BEGIN ", image, b" END"):
        record.chunk(data)
    record.client_left()
    recorder.close()
    (interaction,) = load(tmp_path / "c.yaml").interactions()
    before, written, after = (chunk.data for chunk in interaction.chunks)
    assert (before, after) == (b"BEGINR", b"xEND")
    assert len(written) == len(image)
    assert b"JFIF" not in written


@given(st.lists(PIECES, max_size=12))
def test_a_chunk_is_recorded_alike_alone_and_among_others(pieces: list[bytes]):
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        alone = asyncio.run(recorded(pieces, Path(one), apart=True))
        among = asyncio.run(recorded(pieces, Path(other), apart=False))
    assert alone.entries == among.entries
    assert KEY not in b"".join(each.body() for each in alone.interactions())
