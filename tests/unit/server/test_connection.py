"""A connection to the upstream, fed by hand: heads, bodies, ends, and what frees it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from support.transport import Wire, turns
from wiretape.core.model import Outcome
from wiretape.server.connection import UpstreamConnection
from wiretape.server.exchange import Exchange
from wiretape.server.framing import Framing


class Upstream:
    """A connection to nowhere, and what it says of itself."""

    def __init__(self, *, skip_body: bool = False) -> None:
        self.freed: list[UpstreamConnection] = []
        self.lost: list[UpstreamConnection] = []
        self.wire = Wire()
        self.connection = UpstreamConnection(self.freed.append, self.lost.append)
        self.connection.connection_made(self.wire)
        self.exchange: Exchange = self.connection.begin(b"", skip_body=skip_body)

    def says(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.data_received(piece)


async def test_a_head_in_two_pieces_and_a_body():
    upstream = Upstream()
    exchange = upstream.exchange
    upstream.says(b"HTTP/1.1 200 Fine\r\nTransfer-Enc")
    assert (exchange.headed, exchange.began) == (False, True)
    upstream.says(b"oding: chunked\r\nX-b: \xe9\r\n\r\n5\r\nhello\r\n")
    assert await exchange.head()
    assert (exchange.status, exchange.reason) == (200, "Fine")
    assert exchange.headers == (("Transfer-Encoding", "chunked"), ("X-b", "\xe9"))
    assert exchange.framing is Framing.CHUNKED
    batch, outcome = await exchange.read()
    assert (batch.pieces, outcome) == ([(b"hello", False)], None)
    assert not upstream.freed
    upstream.says(b"0\r\n\r\n")
    assert (await exchange.read())[1] is Outcome.COMPLETE
    assert upstream.freed == [upstream.connection]


async def test_a_freed_connection_carries_the_next_exchange():
    upstream = Upstream()
    for number in range(3):
        exchange = upstream.connection.begin(b"GET %d" % number, skip_body=False)
        upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        batch, outcome = await exchange.read()
        assert (batch.pieces, outcome) == ([(b"ok", False)], Outcome.COMPLETE)
    assert upstream.wire.sent == b"GET 0GET 1GET 2"
    assert upstream.freed == [upstream.connection] * 3


async def test_a_length_may_begin_with_any_number_of_zeros():
    upstream = Upstream()
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"0" * 5000 + b"2\r\n\r\nok")
    assert upstream.exchange.framing is Framing.LENGTH
    assert upstream.exchange.complete
    assert upstream.freed == [upstream.connection]


async def test_a_connection_that_is_being_closed_is_not_quiet():
    ours, theirs = socket.socketpair()
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: UpstreamConnection(lambda _: None, lambda _: None), sock=ours
    )
    with theirs:
        assert connection.quiet()
        connection.data_received(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        assert not connection.quiet()


@pytest.mark.parametrize(
    ("framing", "body"),
    [("Transfer-Encoding", b"2\r\nok\r\n0\r\n\r\n"), ("Content-Length", b"ok")],
)
async def test_a_blank_before_a_fields_colon_is_no_part_of_its_name(framing: str, body: bytes):
    value = "chunked" if framing == "Transfer-Encoding" else "2"
    upstream = Upstream()
    upstream.says(f"HTTP/1.1 200 OK\r\n{framing} : {value}\r\nSet-Cookie : a\r\n\r\n".encode())
    upstream.says(body)
    assert upstream.exchange.headers == ((framing, value), ("Set-Cookie", "a"))
    batch, outcome = await upstream.exchange.read()
    assert (batch.pieces, outcome) == ([(b"ok", False)], Outcome.COMPLETE)
    assert upstream.freed


async def test_interim_heads_are_passed_over():
    upstream = Upstream()
    upstream.says(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    )
    assert upstream.exchange.status == 200
    assert (await upstream.exchange.read())[0].pieces == [(b"ok", False)]


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_some_statuses_have_no_body(status: bytes):
    upstream = Upstream()
    upstream.says(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n")
    assert upstream.exchange.complete
    assert upstream.freed


async def test_no_body_is_expected_after_head():
    upstream = Upstream(skip_body=True)
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert upstream.exchange.complete
    assert upstream.freed


async def test_what_came_before_a_connection_broke_is_given_out_first():
    upstream = Upstream()
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    upstream.connection.connection_lost(ConnectionResetError(104, "reset"))
    batch, outcome = await upstream.exchange.read()
    assert (batch.pieces, outcome) == ([(b"abc", False)], None)
    batch, outcome = await upstream.exchange.read()
    assert (batch.pieces, outcome) == ([], Outcome.UPSTREAM_RESET)
    assert upstream.lost == [upstream.connection]


async def test_a_clean_close_ends_a_body_framed_by_it_and_no_other():
    ending = {b"": Outcome.COMPLETE, b"Content-Length: 9\r\n": Outcome.UPSTREAM_CLOSED}
    for field, wanted in ending.items():
        upstream = Upstream()
        upstream.says(b"HTTP/1.1 200 OK\r\n" + field + b"\r\nabc")
        upstream.connection.connection_lost(None)
        outcome = None
        while outcome is None:
            _, outcome = await upstream.exchange.read()
        assert outcome is wanted
        assert not upstream.freed


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokMORE"], id="a longer body"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nMORE"],
            id="something after the last chunk",
        ),
        pytest.param([b"HTTP/1.1 204 No Content\r\n\r\nMORE"], id="a body where there can be none"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 200 OK\r\n\r\nevil"],
            id="an answer that nobody asked for",
        ),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"],
            id="a connection to be closed",
        ),
        pytest.param([b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"], id="HTTP/1.0"),
    ],
)
async def test_a_connection_that_may_not_serve_again_is_closed(pieces: list[bytes]):
    upstream = Upstream()
    upstream.says(*pieces)
    assert upstream.exchange.complete
    assert upstream.wire.closed


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 60_000,
    ],
)
async def test_garbage_is_an_error_and_costs_the_connection(garbage: bytes):
    upstream = Upstream()
    upstream.says(garbage)
    assert not await upstream.exchange.head()
    assert upstream.exchange.error is not None
    assert "not HTTP" in upstream.exchange.error
    assert upstream.wire.closed


async def test_reading_stops_while_too_much_waits_and_goes_on_when_it_was_taken():
    upstream = Upstream()
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n")
    assert not upstream.wire.paused
    upstream.says(b"x" * 65536, b"x" * 65536)
    assert upstream.wire.paused
    await upstream.exchange.read()
    assert not upstream.wire.paused


async def test_a_held_exchange_goes_on_with_the_next_read():
    upstream = Upstream()
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    upstream.exchange.hold()
    assert upstream.wire.paused
    await upstream.exchange.read()
    assert not upstream.wire.paused


async def test_letting_go_of_what_has_not_ended_closes_the_connection():
    upstream = Upstream()
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
    upstream.exchange.close()
    assert upstream.wire.closed
    whole = Upstream()
    whole.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    whole.exchange.close()
    assert not whole.wire.closed


async def body(*pieces: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)
    if error is not None:
        raise error


async def test_a_body_of_unknown_length_goes_out_in_chunks():
    upstream = Upstream()
    upstream.connection.begin_upload(
        b"HEAD", body(b"abc", b"", b"de"), chunked=True, skip_body=False
    )
    await turns()
    assert upstream.wire.sent == b"HEAD3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert upstream.freed


async def test_an_upstream_that_reads_slowly_is_sent_no_more():
    upstream = Upstream()
    upstream.connection.pause_writing()
    upstream.connection.begin_upload(b"", body(b"abc", b"de"), chunked=False, skip_body=False)
    await turns()
    assert upstream.wire.sent == b""
    upstream.connection.resume_writing()
    await turns()
    assert upstream.wire.sent == b"abcde"


async def test_an_answer_before_the_whole_body_was_sent_costs_the_connection():
    upstream = Upstream()
    upstream.connection.pause_writing()
    exchange = upstream.connection.begin_upload(b"", body(b"abc"), chunked=False, skip_body=False)
    await turns()
    upstream.says(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    assert (await exchange.read())[1] is Outcome.COMPLETE
    assert upstream.wire.closed
    assert not upstream.freed
    await turns()


async def test_what_is_unsent_of_a_request_never_comes_before_the_next():
    upstream = Upstream()
    upstream.wire.unsent_bytes = 1
    upstream.says(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    assert upstream.exchange.complete
    assert upstream.wire.closed
    assert not upstream.freed


async def test_an_interim_head_that_says_close_is_no_end_of_what_follows():
    upstream = Upstream()
    upstream.says(b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n")
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert (upstream.exchange.status, upstream.exchange.error) == (200, None)
    assert upstream.exchange.complete


async def test_each_arrival_and_each_renewal_begins_the_wait_anew():
    upstream = Upstream()
    exchange = upstream.exchange
    assert exchange.silence is None  # nobody waits
    waiting = asyncio.create_task(exchange.head())
    await turns()
    said = [exchange.silence]
    upstream.says(b"HTTP/1.1 100 Continue\r\n\r\n")
    said.append(exchange.silence)
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    assert await waiting
    for _ in range(2):
        reading = asyncio.create_task(exchange.read())
        await turns()
        said.append(exchange.silence)
        upstream.says(b"a")
        await reading
    assert exchange.silence is None
    exchange.listener = lambda: None
    said.append(exchange.silence)
    upstream.says(b"a")
    said.append(exchange.silence)
    exchange.renew()
    said.append(exchange.silence)
    assert None not in said
    assert len(set(said)) == len(said)
    exchange.hold()
    assert exchange.silence is None


async def test_an_answer_is_read_although_the_rest_of_the_request_cannot_be_written():
    ours, theirs = socket.socketpair()
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: UpstreamConnection(lambda _: None, lambda _: None), sock=ours
    )
    theirs.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
    theirs.close()
    exchange = connection.begin(b"POST", skip_body=False)
    assert await exchange.head()
    batch, outcome = await exchange.read()
    assert (exchange.status, batch.pieces, outcome) == (413, [(b"no", False)], Outcome.COMPLETE)


async def test_a_body_that_breaks_off_is_an_error():
    upstream = Upstream()
    exchange = upstream.connection.begin_upload(
        b"", body(b"a", error=ValueError("bad chunk")), chunked=True, skip_body=False
    )
    await turns()
    assert not await exchange.head()
    assert exchange.error == "the request's body broke off: bad chunk"
    assert upstream.wire.closed
