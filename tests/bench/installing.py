"""Gets what the benchmark needs and the repository does not hold: the load tools and the rivals.

All of it goes into a cache outside the repository. What cannot be had is told, not hidden.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

LOAD = Path(__file__).parent / "load"
MITMPROXY = "mitmproxy==11.0.2"
AIMOCK = "@copilotkit/aimock@1.43.0"
REEL = "reel-vcr==0.1.0"
HTTPTAPE = "github.com/httptape/httptape/cmd/httptape@latest"


class NotHadError(Exception):
    """Something cannot be had; the text says why, in a few words."""


class Cache:
    """Programs in a directory, made when they are first asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    @classmethod
    def of_user(cls) -> Cache:
        """Where WIRETAPE_BENCH_CACHE says, else in the user's cache."""
        given = os.environ.get("WIRETAPE_BENCH_CACHE")
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cls(Path(given) if given else base / "wiretape-bench")

    def load_tool(self, name: str) -> Path:
        """One of the C programs, compiled; compiled anew when its source has changed."""
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            raise NotHadError("no C compiler; install gcc")
        sources = [LOAD / f"{name}.c", LOAD / "shared.h"]
        digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
        program = self.directory / f"{name}-{digest[:12]}"
        if not program.exists():
            _run([compiler, "-O2", "-o", str(program), str(sources[0])])
        return program

    def nginx(self) -> Path:
        """Only found, not installed: that is for the system's own packages."""
        return _found("nginx", "install it, with `apt-get install nginx` say", "/usr/sbin")

    def mitmproxy(self) -> Path:
        """Mitmdump, in an environment of its own."""
        return self._by_pip("mitmproxy", MITMPROXY) / "mitmdump"

    def reel(self) -> Path:
        """Reel, in an environment of its own."""
        return self._by_pip("reel-vcr", REEL) / "reel"

    def aimock(self) -> Path:
        """Aimock's command line."""
        script = "node_modules/@copilotkit/aimock/dist/cli.js"
        if shutil.which("node") is None or shutil.which("npm") is None:
            raise NotHadError("node and npm are not installed")

        def install(place: Path) -> None:
            _run(["npm", "install", "--silent", "--no-fund", "--prefix", str(place), AIMOCK])

        return self._once("aimock", AIMOCK, install) / script

    def httptape(self) -> Path:
        """Found on PATH, else built by go."""
        on_path = shutil.which("httptape")
        if on_path:
            return Path(on_path)
        if shutil.which("go") is None:
            raise NotHadError("go is not installed")

        def install(place: Path) -> None:
            _run(["go", "install", HTTPTAPE], GOBIN=str(place))

        return self._once("httptape", HTTPTAPE, install) / "httptape"

    def _by_pip(self, name: str, requirement: str) -> Path:
        def install(place: Path) -> None:
            _run([sys.executable, "-m", "venv", str(place)])
            _run([str(place / "bin" / "pip"), "install", "--quiet", requirement])

        return self._once(name, requirement, install) / "bin"

    def _once(self, name: str, wanted: str, install: Callable[[Path], None]) -> Path:
        place = self.directory / name
        mark = place / ".installed"
        if not mark.exists() or mark.read_text() != wanted:
            print(f"installing {wanted} into {place}", file=sys.stderr)
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            install(place)
            mark.write_text(wanted)
        return place


def _found(name: str, hint: str, *also_in: str) -> Path:
    path = os.pathsep.join([os.environ.get("PATH", ""), *also_in])
    program = shutil.which(name, path=path)
    if program is None:
        raise NotHadError(f"not installed; {hint}")
    return Path(program)


def _run(command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise NotHadError(f"{Path(command[0]).name} could not install it: {said[-1].strip()}")
