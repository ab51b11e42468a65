"""Recording: stamps, numbers and journals what crosses the proxy in one session.

What was given to `chunks`, and a request or a head that `flush` has been called for since, is in
the journal when the call returns, so that calling these before the client's socket is written to
is all it takes to lose nothing. It never waits: a journal write is one write(2) into the page
cache, which outlives the process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import TYPE_CHECKING

from wiretape.cassette.holding import part_path_of
from wiretape.cassette.journal import Journal
from wiretape.cassette.redaction import Redactor
from wiretape.cassette.writer import request_text
from wiretape.core.addresses import redact_user_info
from wiretape.errors import CassetteBusyError, JournalError
from wiretape.server.clock import SessionClock, utc_now
from wiretape.server.headers import without_own
from wiretape.server.interaction import Coming, InteractionRecorder

if TYPE_CHECKING:
    from pathlib import Path

    from wiretape.core.model import Body, Headers

_log = logging.getLogger(__name__)

# Room for the length of a body that is still to come.
_LENGTH_DIGITS = 20


class Recorder:
    """One session's recording.

    The journal is made with the first request, so that a session nobody uses leaves no
    cassette and harms none.

    Args:
        path: the cassette to be.
        upstream: the base URL that is recorded.
        redactor: decides about secrets.
        continues: append to the cassette if it exists (`new_episodes`), else replace it.
        stops: once the recording can no longer be written, let nothing pass either.
        wants_answers: write no cassette if no upstream ever answered.

    Attributes:
        path: as given.
        failure: why recording stopped; None while it goes on.
        interactions: how many were recorded; 0 once they were given up, as `wants_answers` has it.
        unreachable: how many of them had no upstream to answer them.
        redactor: as given.
        clock: tells the time to stamp on what arrives now; its own once the journal is open.
    """

    def __init__(
        self,
        path: Path,
        upstream: str,
        *,
        redactor: Redactor | None = None,
        continues: bool = False,
        stops: bool = False,
        wants_answers: bool = False,
    ) -> None:
        self.path = path
        self.failure: JournalError | None = None
        self.interactions = 0
        self.unreachable = 0
        self.redactor = redactor or Redactor()
        self._upstream = self.redactor.secrets.redact_text(redact_user_info(upstream))
        self._continues = continues
        self._stops = stops
        self._wants_answers = wants_answers
        self._journal: Journal | None = None
        self._opening: asyncio.Task[None] | None = None
        self._handing_over = threading.Lock()
        self._closing = threading.Lock()
        self._closed = False
        self._written: Path | None = None
        self.clock = SessionClock(utc_now())
        self._last_number = self._number_before = 0
        self._unwritten: list[str] = []

    async def open(self) -> None:
        """Make the journal, unless there is one; whoever asks meanwhile waits.

        It takes a while to go on with a long cassette, or to recover what a crash left: that is
        done in a thread, for other streams must not wait for it.

        Raises:
            CassetteBusyError: another session records under this name.
            CassetteError: the cassette to be continued cannot be read.
            JournalError: it cannot be written, and nothing may pass unrecorded.
        """
        while self._journal is None and self.failure is None and not self._closed:
            opening = self._opening
            if opening is None or opening.done():
                if self._is_new():
                    self._open()
                    continue
                opening = self._opening = asyncio.create_task(asyncio.to_thread(self._open))
                opening.add_done_callback(_retrieved)
            await asyncio.wait([opening])  # which goes on for others, should this one leave
            opening.result()
        if self.failure is not None and self._stops:
            raise self.failure

    def begin(
        self, method: str, target: str, headers: Headers, body: Body, *, comes: bool = False
    ) -> InteractionRecorder:
        """Record a request; `open` comes first.

        Args:
            method: as sent.
            target: without the session's prefix.
            headers: all fields.
            body: what has come of it.
            comes: more will: the recording is told by `request_came`.

        Raises:
            JournalError: it cannot be written, and nothing may pass unrecorded.
        """
        if self._stops:
            if self.failure is not None:
                raise self.failure
            if self._closed:
                raise JournalError(self.path, "cannot be written: the recording is closed")
        self._last_number += 1
        kept = without_own(headers)
        target, kept, body = self.redactor.request(target, kept, body)
        number, at_us = self._last_number, self.clock.now_us()
        text = request_text(number, at_us, method, target, kept, body)
        if not comes:
            self._write_soon(text)
            return InteractionRecorder(self, number)
        text = text[:-1] + " " * _LENGTH_DIGITS + "\n"
        self.flush()  # or its place would not be known
        self._unwritten = [text]
        position = self.write("")
        return InteractionRecorder(
            self, number, Coming(at_us, method, target, kept, position, text)
        )

    def _write_soon(self, text: str) -> None:
        """Journal a request with whatever is next, at the latest when the loop has its next turn.

        Many are asked together, and until then nobody can have got an answer.
        """
        if not self._unwritten and not self._stops:
            asyncio.get_running_loop().call_soon(self.flush)
        self._unwritten.append(text)
        if self._stops or self.failure is not None:
            self.flush()

    def flush(self) -> None:
        """Journal what has been asked and is not journalled yet."""
        if self._unwritten:
            self.write("")

    def write(self, text: str) -> int:
        """Journal some entries; return where, for `rewrite`, if `flush` was called before.

        When that fails, recording ends and traffic goes on.

        Raises:
            JournalError: it failed, and nothing may pass unrecorded.
        """
        journal = self._journal
        if self.failure is not None or journal is None:
            if self.failure is not None and self._stops:
                raise self.failure
            self._unwritten = []
            return 0
        recorded = self.interactions
        if self._unwritten:
            text, self._unwritten = "".join([*self._unwritten, text]), []
            self.interactions = self._last_number - self._number_before
        position = journal.bytes_written
        try:
            journal.write(text)
        except JournalError as error:
            self.interactions = recorded
            self._fail(error)
        return position

    def size_of(self, text: str) -> int:
        """How many bytes some entries take in the journal."""
        return 0 if self._journal is None else self._journal.size_of(text)

    def rewrite(self, position: int, old: str, new: str) -> None:
        """Write an entry again, as `Journal.rewrite` does; a failure ends the recording.

        Raises:
            JournalError: it failed, and nothing may pass unrecorded.
        """
        if self._journal is None or self.failure is not None:
            return
        try:
            self._journal.rewrite(position, old, new)
        except JournalError as error:
            self._fail(error)

    async def finish(self) -> Path | None:
        """As `close`, but no other stream waits for the disk; a journal being made is waited for.

        Raises:
            JournalError: as `close`.
        """
        if self._opening is not None:
            await asyncio.wait([self._opening])
        self.flush()  # here, where nothing else can do so at the same time
        return await asyncio.to_thread(self.close)

    def close(self) -> Path | None:
        """Finish the cassette; return its path, or None if nothing was recorded.

        Further calls, also from other threads, change nothing and return or raise the same.

        Raises:
            JournalError: it could not be finished; the message says where the recording is.
        """
        with self._closing:
            self.flush()
            journal = self._hand_out()
            if journal is not None:
                try:
                    self._written = self._finished(journal)
                except JournalError as error:
                    self.failure = error
            if self.failure is not None:
                raise self.failure
            return self._written

    def _finished(self, journal: Journal) -> Path | None:
        answered = self.interactions > self.unreachable
        if answered or self.failure is not None or not (self.interactions and self._wants_answers):
            return journal.close()
        journal.discard()
        asked, self.interactions = self.interactions, 0
        kept = "it was left as it is" if self.path.exists() else "it was not written"
        raise JournalError(self.path, f"{kept}, for no upstream answered any of {asked} requests")

    def discard(self) -> None:
        """Give the recording up; the cassette stays as it was, or missing."""
        journal = self._hand_out()
        if journal is not None:
            journal.discard()

    def _hand_out(self) -> Journal | None:
        """The journal, for the last time; one that is still being made is given up."""
        with self._handing_over:
            self._closed = True
            journal, self._journal = self._journal, None
        return journal

    def _is_new(self) -> bool:
        """Whether there is nothing to go on with or to recover: it takes as long as a write."""
        there = os.path.lexists  # unlike Path.exists, it is False whatever the system says
        return not (self._continues and there(self.path)) and not there(part_path_of(self.path))

    def _open(self) -> None:
        """Make the journal; in a thread, if that can take a while."""
        try:
            if self._continues and self.path.exists():
                journal, cassette = Journal.append_to(self.path)
                last_us = max((entry.at_us for entry in cassette.entries), default=0)
                since = utc_now() - cassette.recorded
                start_us = max(last_us, round(since.total_seconds() * 1_000_000))
                self.clock = SessionClock(cassette.recorded, start_us)
                self._last_number = max((e.interaction for e in cassette.entries), default=0)
                self._number_before = self._last_number
            else:
                self.clock = SessionClock(utc_now())
                journal = Journal.create(self.path, self.clock.began, self._upstream)
            with self._handing_over:
                if self._closed:
                    journal.discard()
                else:
                    self._journal = journal
        except CassetteBusyError:
            raise
        except JournalError as error:
            self._fail(error)
        except OSError as error:
            self._fail(JournalError(self.path, f"cannot be written: {error.strerror or error}"))

    def _fail(self, error: JournalError) -> None:
        self.failure = error
        if self._stops:
            _log.error("recording stopped, and so does traffic: %s", error)
            raise error
        _log.error("recording stopped, traffic goes on unrecorded: %s", error)


def _retrieved(opening: asyncio.Task[None]) -> None:
    if not opening.cancelled():
        opening.exception()  # or it is logged as nobody's, if all who waited have left
