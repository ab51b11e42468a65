"""Uploads by a real SDK, which draws a new boundary for each request, are found again."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

from support.proxies import Proxy
from support.upstream import Seen, head, scripted_upstream
from wiretape.cassette.loader import load

AUDIO = b"RIFF\x00\xff\r\n--WAVE"


def transcribed(seen: Seen) -> list[bytes]:
    body = b'{"text": "%d bytes heard"}' % len(seen.body)
    return [head("200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}") + body]


async def transcribe(url: str, audio: bytes = AUDIO) -> str:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-none", max_retries=0) as client:
        answer = await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", audio))
        return answer.text


async def test_an_upload_is_replayed_and_a_miss_names_its_part(proxy: Proxy):
    async with (
        scripted_upstream(transcribed) as upstream,
        proxy("record", upstream=upstream.url, cassette="c") as recording,
    ):
        heard = await transcribe(recording.url)
    async with proxy("replay", cassette="c") as replaying:
        assert await transcribe(replaying.url) == heard
        with pytest.raises(openai.BadRequestError) as failure:
            await transcribe(replaying.url, AUDIO + b"!")
    told = [line for line in str(failure.value).split("\\n") if "body" in line]
    assert len(told) == 1
    assert 'body: part "file": recorded' in told[0]


async def test_new_episodes_record_an_upload_once(proxy: Proxy, tmp_path: Path):
    async with scripted_upstream(transcribed) as upstream:
        heard = set()
        for _ in range(3):
            async with proxy("new_episodes", upstream=upstream.url, cassette="n") as running:
                heard.add(await transcribe(running.url))
    assert len(heard) == len(upstream.seen) == 1
    assert len(load(tmp_path / "n.yaml").interactions()) == 1
