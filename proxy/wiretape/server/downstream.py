"""The proxy's side towards a client: a response's head, framing and ending on the wire.

Writes bytes and nothing else: what to write and when is for the recorder's and the replayer's
side to say. It frames by itself, because chunk boundaries and endings, broken ones too, must
be those of the upstream, and the head must hold no field that the upstream did not send.
"""

from __future__ import annotations

import asyncio
import functools
import json
import socket
import struct
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wiretape.cassette.secrets import Secrets
from wiretape.core.model import Outcome
from wiretape.core.routing import error_body
from wiretape.server.framing import LAST_CHUNK, Framing
from wiretape.server.headers import end_to_end
from wiretape.server.peer import unsent_bytes

if TYPE_CHECKING:
    from wiretape.core.model import Headers
    from wiretape.server.client import ClientConnection
    from wiretape.server.peer import ReceiveQueues

STATUSES_OF_PROXY = {Outcome.UPSTREAM_UNREACHABLE: 502, Outcome.UPSTREAM_TIMEOUT: 504}
"""With what the proxy answers in place of an upstream that has not."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time: close() sends RST
_FIRST_STEP_S = 0.001
_LONGEST_STEP_S = 0.02
_PATIENCE_S = 60.0
_SECRETS = Secrets()
# The coding overrides a length (RFC 9112, section 6.3), also where HTTP/1.0 knows no coding.
_WITHOUT_LENGTH = frozenset({Framing.CHUNKED, Framing.UNTIL_CLOSE})
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Downstream:
    """One response to one client.

    Args:
        connection: the client's.
        method: the request's.
        http_1_0: whether the client speaks an older HTTP than 1.1.
        persists: whether the client wants to keep the connection.

    Attributes:
        asked_ns: when the request came, on the monotonic clock: the last of it that was there when
            its turn came.
        persists: whether the connection may carry another request.
        began: some of an answer has been sent; no other may be.
        shows_page: the client is a browser, which will show the answer as a page.
    """

    def __init__(
        self, connection: ClientConnection, method: str, *, http_1_0: bool, persists: bool
    ) -> None:
        self.asked_ns = connection.came_ns
        self.persists = persists
        self.began = False
        self.shows_page = False
        self._connection = connection
        self._transport = connection.transport
        self._http_1_0 = http_1_0
        self._is_head = method == "HEAD"
        self._framing = Framing.NONE

    @property
    def paused(self) -> bool:
        """Whether the client reads more slowly than it is sent to: await `drain` before more."""
        return self._connection.writing_paused

    def unread_bytes(self, queues: ReceiveQueues) -> int | None:
        """How much of what was written the client has not read; None if that is not known."""
        if self._transport is None or self._transport.is_closing():
            return 0
        waiting = self._transport.get_write_buffer_size()
        return waiting or queues.unread_bytes(self._transport)

    async def drain(self) -> None:
        """Wait until the client has read enough for more to be sent.

        Raises:
            ConnectionError: the client is gone.
        """
        await self._connection.drain()

    def ask_to_go_on(self) -> None:
        """Have a client send its body that waits to be asked for it."""
        if self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def write_head(
        self,
        status: int,
        headers: Headers,
        framing: Framing,
        *,
        reason: str | None = None,
        extra: Headers = (),
    ) -> bytes:
        """The head's bytes, for `write`: together with the first chunks where there are some.

        Args:
            status: the status code.
            headers: as recorded or received; hop-by-hop fields are left out.
            framing: the body's, as the upstream framed it.
            reason: the reason phrase; None for the status code's own.
            extra: fields of the proxy's own, in ASCII, after the others.
        """
        if framing is Framing.CHUNKED and self._http_1_0:
            framing = Framing.UNTIL_CLOSE
        if framing is Framing.UNTIL_CLOSE:
            self.persists = False
        self._framing = framing
        head = _head(status, reason, headers, framing)
        for name, value in extra:
            head += f"{name}: {value}\r\n".encode()
        if not self.persists:
            head += b"Connection: close\r\n"
        elif self._http_1_0:
            head += b"Connection: keep-alive\r\n"
        return head + b"\r\n"

    @property
    def chunked(self) -> bool:
        """Whether the body goes out in chunked coding."""
        return self._framing is Framing.CHUNKED

    @property
    def whole_by_closing(self) -> bool:
        """Whether a client takes the body for whole when the connection is closed.

        So it does where its upstream framed it so, and in HTTP/1.0, which has no chunks.
        """
        return self._framing is Framing.UNTIL_CLOSE

    def write(self, data: bytes) -> None:
        """Send bytes: at once as far as the socket takes them, the rest as it drains."""
        self.began = True
        if self._transport is not None:
            self._transport.write(data)

    @property
    def last_chunk(self) -> bytes:
        """What ends the body whole, after its last byte."""
        return LAST_CHUNK if self.chunked else b""

    def cut(self) -> None:
        """Close the connection as it stands, without the body's end."""
        self.persists = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    async def break_off(self) -> None:
        """End the connection so that the client can tell that the body is not whole."""
        if self.whole_by_closing:
            await self.reset()
        else:
            self.cut()

    async def reset(self) -> None:
        """Reset the connection, after what was written has reached the client's machine.

        It waits for a slow client, unless that takes nothing for a minute.
        """
        self.persists = False
        transport = self._transport
        if transport is None:
            return
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is None:
            transport.abort()
            return
        # A reset overtakes and voids what is still unsent.
        step_s, waited_s, before = _FIRST_STEP_S, 0.0, 0
        while waited_s < _PATIENCE_S and not transport.is_closing():
            unsent = unsent_bytes(transport)
            if not unsent:
                break
            waited_s = waited_s + step_s if unsent == before else 0.0
            before = unsent
            await asyncio.sleep(step_s)
            step_s = min(2 * step_s, _LONGEST_STEP_S)
        if not transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()

    def answer(self, answer: Answer) -> None:
        """Send a whole answer of the proxy's own."""
        head = self.write_head(answer.status, answer.headers, Framing.LENGTH)
        self.write(head if self._is_head else head + answer.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of the proxy's own."""

    status: int
    headers: Headers
    body: bytes

    @classmethod
    def of(cls, status: int, body: bytes, content_type: str, extra: Headers = ()) -> Answer:
        """An answer with the header fields that every answer has, and some more."""
        own = (("Content-Type", content_type), ("Content-Length", str(len(body))))
        return cls(status, own + extra, body)


def json_answer(status: int, payload: Any, extra: Headers = ()) -> Answer:
    """An answer in JSON."""
    body = json.dumps(payload, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Answer.of(status, body, "application/json", extra)


def error_answer(
    status: int,
    target: str,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str = "wiretape_error",
    extra: Headers = (),
) -> Answer:
    """An error of the proxy's own, in the dialect of the target's API; it tells no secret."""
    message = _SECRETS.redact_text(message)
    return json_answer(status, error_body(target, message, kind=kind, code=code), extra)


# An upstream's responses have much the same heads.
@functools.lru_cache(maxsize=64)
def _head(status: int, reason: str | None, headers: Headers, framing: Framing) -> bytes:
    """A head up to the proxy's own fields."""
    fields = end_to_end(headers)
    if framing in _WITHOUT_LENGTH:
        fields = tuple(each for each in fields if each[0].lower() != "content-length")
    if framing is Framing.CHUNKED:
        fields += (("Transfer-Encoding", "chunked"),)
    lines = [f"{name}: {_one_line(value)}" for name, value in fields]
    # The name of a field can hold anything too, in a cassette: such a field is left out.
    lines = [line for line in lines if "\n" not in line and "\r" not in line]
    if reason is None:
        reason = _REASONS.get(status, "")
    # As aiohttp's parser has read it.
    first = f"HTTP/1.1 {status} {_one_line(reason)}\r\n".encode("utf-8", "surrogateescape")
    return first + "\r\n".join((*lines, "")).encode("latin-1", "replace")


def _one_line(value: str) -> str:
    # A cassette can hold anything; a line break in a field would begin another (RFC 9110,
    # section 5.5, has it replaced by a space).
    return value.translate({10: " ", 13: " ", 0: " "}) if not value.isprintable() else value
