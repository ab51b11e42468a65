"""A private CA and an upstream that shows a certificate of its."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from support.upstream import Step


def openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)


def make_certificates(folder: Path) -> None:
    """A private CA and a certificate of its for localhost, 127.0.0.1 and upstream.test."""
    new = ("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=wiretape test")
    # From Python 3.13 on, a CA must say what its key is for (ssl.VERIFY_X509_STRICT).
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl(*new, "-x509", *usage, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", cwd=folder)
    openssl(*new, "-keyout", "own.key", "-out", "own.csr", cwd=folder)
    names = "DNS:localhost,DNS:upstream.test,IP:127.0.0.1"
    (folder / "names").write_text(f"subjectAltName={names}\nauthorityKeyIdentifier=keyid\n")
    signing = ("x509", "-req", "-in", "own.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2")
    openssl(*signing, "-CAcreateserial", "-extfile", "names", "-out", "own.pem", cwd=folder)
    (folder / "both.pem").write_text(
        (folder / "own.pem").read_text() + (folder / "own.key").read_text()
    )


@asynccontextmanager
async def tls_upstream(
    certificates: Path, script: list[Step], host: str = "127.0.0.1"
) -> AsyncIterator[str]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                for step in script:
                    if not isinstance(step, bytes):
                        return
                    writer.write(step)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "both.pem")
    server = await asyncio.start_server(connected, host, 0, ssl=context)
    async with server:
        yield f"https://{host}:{server.sockets[0].getsockname()[1]}"
