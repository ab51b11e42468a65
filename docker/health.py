"""The image's health check: status 0 if the proxy answers, 1 if not. The image has no curl.

Knows where the proxy listens from WIRETAPE_LISTEN, and asks itself on loopback.
"""  # noqa: INP001  a script of its own

import http.client
import os
import sys

TIMEOUT_S = 3


def healthy(listen: str) -> bool:
    """Whether the proxy that listens on `HOST:PORT` is well; HOST stands for all interfaces."""
    port = int(listen.rpartition(":")[2])
    # No urllib: it would ask the proxy that http_proxy names.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/_wiretape/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not healthy(os.environ.get("WIRETAPE_LISTEN", "0.0.0.0:11435")))
