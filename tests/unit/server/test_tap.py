"""What `server.tap` relies on of aiohttp's inner workings, so that a new aiohttp is found out."""

import asyncio
from unittest import mock

import aiohttp
from aiohttp.client_proto import ResponseHandler

from wiretape.server.framing import Framing
from wiretape.server.tap import TappedConnector, TappedHandler


class Wire(asyncio.Transport):
    """A transport that notes what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        self.paused = True

    def get_extra_info(self, name: str, default: object = None) -> object:
        del name
        return default


async def connected(*, skip_payload: bool = False) -> tuple[TappedHandler, Wire]:
    handler, wire = TappedHandler(asyncio.get_running_loop()), Wire()
    handler.connection_made(wire)
    handler.set_response_params(skip_payload=skip_payload, auto_decompress=False)
    return handler, wire


async def test_the_connector_makes_tapped_connections():
    async with aiohttp.ClientSession(connector=TappedConnector()) as session:
        assert isinstance(session.connector, TappedConnector)
        handler = session.connector._factory()  # noqa: SLF001  the name that is relied on
        assert isinstance(handler, TappedHandler)
        assert isinstance(handler, ResponseHandler)


async def test_heads_go_to_aiohttp_and_bodies_to_the_tap():
    handler, _ = await connected()
    handler.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Enc")
    assert handler.tap.decoder is None
    handler.data_received(b"oding: chunked\r\n\r\n5\r\nhello\r\n")
    message, payload = await handler.read()
    assert (message.code, message.reason) == (200, "OK")
    assert handler.tap.decoder is not None
    assert handler.tap.decoder.framing is Framing.CHUNKED
    assert handler.tap.decoder.take().pieces == [(b"hello", False)]
    assert not payload.is_eof()
    handler.data_received(b"0\r\n\r\n")
    assert handler.tap.complete
    assert payload.is_eof()
    assert not handler.should_close  # the pool may use it again


async def test_interim_heads_have_no_body():
    handler, _ = await connected()
    handler.data_received(
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    )
    assert (await handler.read())[0].code == 103
    assert (await handler.read())[0].code == 200
    assert handler.tap.decoder is not None
    assert handler.tap.decoder.take().pieces == [(b"ok", False)]


async def test_no_body_is_expected_after_head():
    handler, _ = await connected(skip_payload=True)
    handler.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    assert handler.tap.complete


async def test_what_came_before_a_connection_broke_is_kept():
    handler, _ = await connected()
    handler.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    with mock.patch.object(handler, "set_exception"):
        handler.connection_lost(ConnectionResetError(104, "reset"))
    assert handler.tap.decoder is not None
    assert handler.tap.decoder.take().pieces == [(b"abc", False)]
    assert (handler.tap.lost, handler.tap.complete) == (True, False)
    assert isinstance(handler.tap.lost_with, ConnectionResetError)


async def test_a_clean_close_ends_a_body_framed_by_it():
    handler, _ = await connected()
    handler.data_received(b"HTTP/1.1 200 OK\r\n\r\nabc")
    handler.connection_lost(None)
    assert handler.tap.complete


async def test_bytes_that_nobody_asked_for_cost_the_connection():
    handler, wire = await connected()
    handler.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    handler.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    assert wire.closed


async def test_reading_stops_while_too_much_waits():
    handler, wire = await connected()
    handler.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n")
    for _ in range(9):
        handler.data_received(b"x" * 65536)
    assert wire.paused
