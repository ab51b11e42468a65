"""Why an address cannot be connected to, or listened on, in words."""

from __future__ import annotations

import os
import re
import ssl

_ERROR_NUMBER = re.compile(r"\[Errno (\d+)\]")


def why_unreachable(error: OSError | UnicodeError) -> str:
    """Why an address cannot be connected to, or listened on."""
    if isinstance(error, UnicodeError):
        return f"its name is none that a host can have: {error}"
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"its certificate is not trusted: {error}"
        return f"{text}; trust its issuer with --upstream-ca FILE"
    if isinstance(error, TimeoutError):
        return "it takes too long to connect"
    # asyncio puts the address where a system error's text should be, and several errors into
    # one text; a failed look-up's number is none of the system's, and its text is its own.
    numbers = set(map(int, _ERROR_NUMBER.findall(str(error)))) - {0}
    if len(numbers) == 1:
        return os.strerror(numbers.pop()).lower()
    return error.strerror or str(error) or type(error).__name__
