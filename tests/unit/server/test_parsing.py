"""What is mended in the head of a response before it is refused."""

from __future__ import annotations

import pytest

from support.upstream import head
from wiretape.server.parsing import mended


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("Transfer-Encoding: chunked|A: 1|content-length: 9", "Transfer-Encoding: chunked|A: 1"),
        (
            "Content-Length: 9|transfer-encoding: gzip , Chunked ",
            "transfer-encoding: gzip , Chunked ",
        ),
        ("Content-Length: 2|A: 1|content-length:2", "Content-Length: 2|A: 1"),
        ("Content-Length: 3, 3", "Content-Length: 3"),
        ("Transfer-Encoding: identity|Content-Length: 2", "Content-Length: 2"),
    ],
)
def test_what_frames_a_body_twice_is_said_once(sent: str, read: str):
    assert mended(head("200 OK", *sent.split("|"))) == head("200 OK", *read.split("|"))


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Length: 2",
        "Content-Length: 2|Content-Length: 3",
        "Content-Length: 2, 3",
        "Transfer-Encoding: gzip|Content-Length: 2",
        "Transfer-Encoding: xchunked|Content-Length: 2",
    ],
)
def test_where_it_stays_unclear_nothing_is_changed(fields: str):
    sent = head("200 OK", *fields.split("|"))
    assert mended(sent) == sent
