"""Serve a GGUF model with llama.cpp's own HTTP server, for recording from a real engine.

    python llamacpp_server.py --model GGUF [--port N]

Needs the package ``xllamacpp``, which embeds that server. Prints ``ready http://127.0.0.1:PORT``
once it answers, and serves until SIGTERM, SIGINT or the end of standard input: so whoever starts it
gives it a pipe, and it never outlives them.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import xllamacpp

TEMPLATE = Path(__file__).with_name("chatml-tools.jinja")


def start(model: Path, port: int, alias: str) -> xllamacpp.Server:
    """Load the model and answer on 127.0.0.1; port 0 takes any free one."""
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {alias}
    params.port = port
    params.chat_template = TEMPLATE.read_text(encoding="utf-8")
    params.n_parallel = 4  # streams at once, so that a recording can interleave them
    params.n_ctx = 4096 * params.n_parallel
    params.n_predict = 256  # a small model that repeats itself has to end some time
    # A second thread would wait for the first by spinning: on a busy machine of two cores that
    # made an answer take a minute instead of four seconds.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.sse_ping_interval = 1  # seconds between comments while it reads a long prompt
    params.offline = True
    params.ui = False
    params.warmup = False
    params.verbosity = 1  # errors only
    return xllamacpp.Server(params)


def wait_for_stop() -> None:
    """Return at SIGTERM, SIGINT or the end of standard input, whichever comes first."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def watch_stdin() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        stop.set()

    threading.Thread(target=watch_stdin, daemon=True).start()
    stop.wait()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Serve a GGUF model with llama.cpp's HTTP server.")
    parser.add_argument("--model", type=Path, required=True, metavar="GGUF")
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    parser.add_argument("--alias", default="smollm2", help="the model's name in answers")
    args = parser.parse_args(argv)
    if not args.model.is_file():
        parser.error(f"no such model: {args.model}")

    try:
        server = start(args.model, args.port, args.alias)
    except RuntimeError as error:  # a port in use, a file that is no model
        print(f"{parser.prog}: cannot serve {args.model}: {error}", file=sys.stderr)
        return 1
    print(f"ready {server.listening_address}", flush=True)
    wait_for_stop()
    del server  # closes its listener and joins its threads
    return 0


if __name__ == "__main__":
    sys.exit(main())
