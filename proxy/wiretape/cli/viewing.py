"""The command that shows cassettes in a browser: view."""

from __future__ import annotations

import asyncio
import webbrowser
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import click

from wiretape.cli import options as shared
from wiretape.cli.arguments import cassette_file, check_directory, given_path
from wiretape.cli.logs import say
from wiretape.cli.options import Configured, Parsed, setting
from wiretape.core.addresses import parse_allowed_host, parse_listen
from wiretape.core.model import Mode
from wiretape.core.routing import CONTROL_PREFIX
from wiretape.server.serve import serve
from wiretape.server.settings import Settings
from wiretape.viewer.shelf import Shelf

if TYPE_CHECKING:
    from pathlib import Path

    from wiretape.core.addresses import Address
    from wiretape.server.serve import Running

_ANY_PORT = "127.0.0.1:0"
_SIDE_BY_SIDE = 2


@click.command(cls=Configured)
@click.argument("cassettes", nargs=-1, metavar="[CASSETTE]...")
@shared.directory
@click.option(
    "--listen",
    type=Parsed("HOST:PORT", parse_listen),
    default=_ANY_PORT,
    show_default=True,
    help="Where to listen; port 0 is any free one.",
)
@click.option(
    "--allow-host",
    type=Parsed("NAME", parse_allowed_host),
    multiple=True,
    help="Answer to this name in Host too, besides loopback ones. Repeatable.",
)
@setting(
    "--token",
    type=Parsed("TOKEN", shared.parse_token),
    default=None,
    help="What the browser must bring, as /~TOKEN before the path. Better said in WIRETAPE_TOKEN.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@shared.log_level
def view(
    cassettes: tuple[str, ...],
    directory: Path,
    listen: Address,
    allow_host: tuple[str, ...],
    token: str | None,
    *,
    opens: bool,
) -> None:
    """Show cassettes in a browser; two of them side by side.

    Without a CASSETTE it shows all in the directory. Every proxy has the same page at /_wiretape/,
    where it also follows what is being recorded.
    """
    if len(cassettes) == 1 and (only := given_path(cassettes[0])).is_dir():
        directory, cassettes = only, ()
    if not cassettes:
        check_directory(directory)
    files = tuple(cassette_file(each, directory) for each in cassettes)
    settings = Settings(
        mode=Mode.REPLAY,
        directory=directory,
        cassettes=files,
        listen=listen,
        allow_hosts=frozenset(allow_host),
        token=token,
        grace_s=1.0,
        only_views=True,
    )

    def ready(proxy: Running) -> None:
        click.echo(f"wiretape: view on {proxy.url}")
        page = f"{CONTROL_PREFIX}{_chosen(Shelf(directory, files), files)}"
        shown = f"{proxy.url}{'/~TOKEN' if token else ''}{page}"
        say(f"the page is {shown}", page=shown)
        if opens:
            webbrowser.open(f"{proxy.url}/~{quote(token, safe='')}{page}" if token else shown)

    asyncio.run(serve(settings, ready))


def _chosen(shelf: Shelf, files: tuple[Path, ...]) -> str:
    """The query that opens the given cassettes: the first, or the only two side by side."""
    shown = files if len(files) == _SIDE_BY_SIDE else files[:1]
    names = [shelf.name_of(path) for path in shown]
    return f"?{urlencode(dict(zip('ab', names, strict=False)))}" if names else ""
