"""How many files and connections this process may have open."""

from __future__ import annotations

import contextlib

# Some systems have no limit of theirs, others one of a billion; the kernel may refuse more.
_ENOUGH = 65_536


def allow_many() -> None:
    """Raise the soft limit, 1024 or less as a rule, as far as one may: to the hard one.

    Each stream takes two. Programs that go by the soft one use select(2), which this one does not.
    """
    try:
        import resource  # noqa: PLC0415  not everywhere
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
