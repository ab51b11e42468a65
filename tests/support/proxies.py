"""The type of the `proxy` fixture: call it with a mode and settings, use it as a context."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from wiretape.server.serve import Running

Proxy = Callable[..., AbstractAsyncContextManager[Running]]
