"""What is mended in the head of a response before it is refused, and what is told of a refusal."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser

from support.upstream import head
from wiretape.server.parsing import OPTIONS, complaint, mended, without_blanks


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


def test_blanks_before_a_fields_colon_go_and_no_others():
    sent = head("200 OK : 1", "A : b : c", "D\t :e", "F: g :", " folded :", "H: i")
    assert without_blanks(sent) == head(
        "200 OK : 1", "A: b : c", "D:e", "F: g :", " folded :", "H: i"
    )


@pytest.mark.parametrize(
    ("request_head", "told"),
    [
        ("GET / HTTP/1.1|Authorization : Basic b3BhcXVl", "Authorization"),
        ("GET / HTTP/1.1|authorization\t: Basic b3BhcXVl", "authorization"),
        ("GET / HTTP/1.1|X-Api-Key: b3BhcXVl\1b3BhcXVl", "X-Api-Key"),
        ("GET / HTTP/1.1|X-Api-Key b3BhcXVl", ""),
        ("GET / HTTP/1.1|Authorization: Basic|  b3BhcXVl", ""),
        ("GET /?key=b3BhcXVl HTTP/9", "GET"),
        ("GET http://b3BhcXVl@\0", ""),
        ("GET http://h:x/?k=b3BhcXVl HTTP/1.1", ""),
        ("POST / HTTP/1.1|Transfer-Encoding: chunked||5|hellob3BhcXVl", ""),
        ("POST / HTTP/1.1|Transfer-Encoding: chunked||b3BhcXVl", ""),
        ("SSH-2.0-OpenSSH_9.6", "SSH-2.0-OpenSSH_9.6"),
    ],
)
async def test_of_a_field_that_is_refused_its_name_alone_is_told(request_head: str, told: str):
    loop = asyncio.get_running_loop()
    parser = HttpRequestParser(BaseProtocol(loop), loop, 1024, **OPTIONS)
    with pytest.raises(HttpProcessingError) as refused:
        parser.feed_data(request_head.replace("|", "\r\n").encode() + b"\r\n\r\n")
    text = complaint(refused.value)
    assert "b3BhcXVl" not in text
    assert text
    assert text.partition(": ")[2].endswith(told)
    assert text.isprintable()


@pytest.mark.parametrize(
    "text", ["Missing 'Host' header in request.", "Duplicate 'Content-Length' header found."]
)
def test_what_the_parser_says_without_a_quotation_is_told_whole(text: str):
    assert complaint(HttpProcessingError(message=text)) == text
