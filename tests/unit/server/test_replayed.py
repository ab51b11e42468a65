from pathlib import Path

import pytest

from wiretape.cassette.loader import loads
from wiretape.server.framing import Framing
from wiretape.server.replayed import replay_framing

CHUNKED, LENGTH = "Transfer-Encoding: chunked", "Content-Length: 2"


@pytest.mark.parametrize(
    ("method", "status", "fields", "framing"),
    [
        ("GET", 200, CHUNKED, Framing.CHUNKED),
        ("GET", 200, LENGTH, Framing.LENGTH),
        ("GET", 200, "Connection: close", Framing.UNTIL_CLOSE),
        ("GET", 200, "", Framing.CHUNKED),
        ("HEAD", 200, LENGTH, Framing.NONE),
        ("GET", 101, "Upgrade: x", Framing.NONE),
        ("GET", 204, CHUNKED, Framing.NONE),
        ("GET", 304, LENGTH, Framing.NONE),
    ],
)
def test_the_framing_is_that_of_the_recorded_head(
    method: str, status: int, fields: str, framing: Framing
):
    text = (
        "wiretape: 1\nrecorded: 2026-11-22T10:31:02Z\nupstream: http://h\nentries:\n"
        f"- {{request: 1, at: 0, method: {method}, target: /}}\n"
        f"- {{response: 1, at: 0, status: {status}, headers: {{{fields}}}}}\n"
    )
    (interaction,) = loads(text, Path("x.yaml")).interactions()
    assert replay_framing(interaction) is framing
