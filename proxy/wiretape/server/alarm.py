"""A timer that is exact: one that rings within some 50 us of its time, not within 1 ms.

An event loop's own timers end in epoll's timeout, which counts whole milliseconds. Linux's
timerfd counts nanoseconds and wakes the loop like a socket. Where there is none, the loop's
timers serve.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NS_PER_S = 1_000_000_000
_CLOCK_MONOTONIC = 1
_TFD_FLAGS = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Calls back on the running loop at a time of the monotonic clock; one time at once.

    Args:
        ring: what to call.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._set_for_ns: int | None = None
        # Of its own, and made once: each event of a replay at its pace sets it.
        self._time = _Itimerspec()
        self._time_at = ctypes.byref(self._time)
        self._value = self._time.value
        self._descriptor = _open_timer()
        if self._descriptor is not None:
            try:
                self._loop.add_reader(self._descriptor, self._timer_rang)
            except NotImplementedError:  # a loop without readers: its own timers ring instead
                self._close_timer()

    def set(self, at_ns: int | None) -> None:
        """Ring at this time, at once if it has passed; None for not at all."""
        if at_ns == self._set_for_ns:
            return
        self._set_for_ns = at_ns
        if self._descriptor is not None:
            assert _libc is not None  # noqa: S101  it opened the timer
            # Zero would disarm the timer, so what is due at 0 rings a nanosecond later.
            due_ns = 0 if at_ns is None else max(at_ns, 1)
            value = self._value
            value.seconds, value.nanoseconds = divmod(due_ns, _NS_PER_S)
            _libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, self._time_at, None)
            return
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if at_ns is not None:
            self._handle = self._loop.call_at(at_ns / _NS_PER_S, self._rang)

    def close(self) -> None:
        """Never ring again, and let go of the timer."""
        self.set(None)
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            self._close_timer()

    def _timer_rang(self) -> None:
        assert self._descriptor is not None  # noqa: S101  its reader was called
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            return  # it was set again in the meantime
        self._rang()

    def _rang(self) -> None:
        self._handle = None
        self._set_for_ns = None
        self._ring()

    def _close_timer(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


# Python has timerfd in its own `os` only from 3.13 on.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _open_timer() -> int | None:
    if _libc is None:
        return None
    descriptor: int = _libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_FLAGS)
    return descriptor if descriptor >= 0 else None
