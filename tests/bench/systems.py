"""What is compared: each system as a process on a free port, and how to ask it.

Knows commands and ports; measures nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from installing import Cache, NotHadError
from machine import Pinning

HERE = Path(__file__).parent
PATH = "/v1/chat/completions"
COMMAND = (sys.executable, "-m", "wiretape.cli")
_READY_S = 120.0  # a cassette of 100,000 interactions is read first
_NGINX = """
daemon off; worker_processes 1; pid {place}/nginx.pid; error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  keepalive_requests 1000000;
  upstream bench {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://bench; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""
# A streamed body passes through mitmproxy as it comes; otherwise it is held until it is whole.
_MITMPROXY_ADDON = """
def responseheaders(flow):
    flow.response.stream = True
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running system.

    Attributes:
        port: where it listens.
        pids: its processes, which are measured.
        place: a directory of its own.
        process: what was started; None for the upstream itself.
    """

    port: int
    pids: tuple[int, ...]
    place: Path
    process: subprocess.Popen[bytes] | None


@dataclass(frozen=True, slots=True)
class System:
    """Something that streams are sent through.

    Attributes:
        name: as in tables.
        records: whether it keeps what it passes on.
        command: (cache, place, port, upstream port) -> what to start; may raise NotHadError.
        rival: whether somebody else made it.
    """

    name: str
    records: str
    command: Callable[[Cache, Path, int, int], list[str]] | None
    rival: bool = False


def wiretape(*arguments: str) -> list[str]:
    """The command of the wiretape that this Python has."""
    return [*COMMAND, *arguments]


def serving(mode: str, place: Path, port: int, upstream: int, *options: str) -> list[str]:
    """Wiretape as a proxy, in a directory of its own."""
    return wiretape(
        *("serve", "--mode", mode, "--dir", str(place), "--log-level", "error"),
        *("--listen", f"127.0.0.1:{port}", "--upstream", f"http://127.0.0.1:{upstream}"),
        *options,
    )


def _nginx(cache: Cache, place: Path, port: int, upstream: int) -> list[str]:
    config = place / "nginx.conf"
    config.write_text(_NGINX.format(place=place, port=port, upstream=upstream))
    return [str(cache.nginx()), "-p", str(place), "-e", "stderr", "-c", str(config)]


def _minimal(_cache: Cache, _place: Path, port: int, upstream: int) -> list[str]:
    script = str(HERE / "passthrough.py")
    return [sys.executable, script, str(port), f"http://127.0.0.1:{upstream}"]


def _floor(_cache: Cache, place: Path, port: int, upstream: int) -> list[str]:
    journal = str(place / "journal")
    return [sys.executable, str(HERE / "floor.py"), str(port), str(upstream), journal]


def _mitmproxy(cache: Cache, place: Path, port: int, upstream: int) -> list[str]:
    addon = place / "addon.py"
    addon.write_text(_MITMPROXY_ADDON)
    return [
        *(str(cache.mitmproxy()), "--quiet", "--set", f"confdir={place}", "-s", str(addon)),
        *("--mode", f"reverse:http://127.0.0.1:{upstream}", "-p", str(port)),
    ]


def _aimock(cache: Cache, place: Path, port: int, upstream: int) -> list[str]:
    return [
        *("node", str(cache.aimock()), "-p", str(port), "-f", str(place), "--record"),
        *("--provider-openai", f"http://127.0.0.1:{upstream}", "--log-level", "silent"),
    ]


def _reel(cache: Cache, place: Path, port: int, upstream: int) -> list[str]:
    return [
        *(str(cache.reel()), "record", "-c", str(place / "cassette.jsonl"), "-p", str(port)),
        *("--upstream", f"http://127.0.0.1:{upstream}"),
    ]


def _httptape(cache: Cache, place: Path, port: int, upstream: int) -> list[str]:
    return [
        *(str(cache.httptape()), "record", "--fixtures", str(place), "--port", str(port)),
        *("--upstream", f"http://127.0.0.1:{upstream}"),
    ]


SYSTEMS = {
    system.name: system
    for system in (
        System("direct", "", None),
        System("nginx", "no", _nginx),
        System("aiohttp", "no", _minimal),
        System("asyncio floor", "no", _floor),
        System(
            "wiretape passthrough",
            "no",
            lambda _cache, *where: serving("passthrough", *where),
        ),
        System("wiretape record", "yes", lambda _cache, *where: serving("record", *where)),
        System("mitmproxy", "no", _mitmproxy, rival=True),
        System("aimock", "yes", _aimock, rival=True),
        System("reel-vcr", "yes", _reel, rival=True),
        System("httptape", "yes", _httptape, rival=True),
    )
}


@dataclass(slots=True)
class Bench:
    """Where and how systems run.

    Attributes:
        cache: where programs are.
        pinning: who runs where.
        work: a directory for what they write; thrown away afterwards.
        missing: systems that were not run, and why.
    """

    cache: Cache
    pinning: Pinning
    work: Path
    missing: dict[str, str] = field(default_factory=dict)
    _count: int = 0

    def place(self, name: str) -> Path:
        """A new directory."""
        self._count += 1
        place = self.work / f"{self._count:03d}-{name.replace(' ', '-')}"
        place.mkdir(parents=True)
        return place

    @contextlib.contextmanager
    def upstream(self) -> Iterator[int]:
        """The load tool that answers; its port."""
        port = free_port()
        command = [*self.pinning.for_load(), str(self.cache.load_tool("upstream")), str(port)]
        with _process(command, self.place("upstream")):
            _wait_for(port, None)
            yield port

    @contextlib.contextmanager
    def running(self, system: System, upstream: int) -> Iterator[Server]:
        """A system in front of the upstream, in a fresh state.

        Raises:
            NotHadError: it cannot be had, or does not start.
        """
        if system.command is None:
            yield Server(upstream, (), self.work, None)
            return
        place, port = self.place(system.name), free_port()
        with self.process(system.command(self.cache, place, port, upstream), place, port) as server:
            yield server

    @contextlib.contextmanager
    def process(self, command: Sequence[str], place: Path, port: int) -> Iterator[Server]:
        """A measured process that listens on a port."""
        with _process([*self.pinning.for_proxy(), *command], place) as process:
            _wait_for(port, process)
            yield Server(port, tuple(_family(process.pid)), place, process)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(server: Server, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """One request; the answer's status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextlib.contextmanager
def _process(command: Sequence[str], place: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (place / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=place
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes] | None) -> None:
    """Wait until something listens."""
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise NotHadError(f"it ended at once, with status {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise NotHadError(f"it did not listen within {_READY_S:.0f} s")


def _family(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(int(child))
