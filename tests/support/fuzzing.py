"""Broken variants of a cassette, and what must hold for whatever opens one."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from wiretape.analysis.show_json import show_json
from wiretape.analysis.transcript import transcripts
from wiretape.cassette.cleaning import clean
from wiretape.cassette.loader import loads
from wiretape.cassette.redaction import Redactor
from wiretape.core.model import Cassette
from wiretape.errors import CassetteError

SEEDS = Path(__file__).parent / "seeds"
"""What was once found to break something; kept, so that it never does again."""

_TYPES: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    10**30,
    "",
    "x",
    [],
    ["x"],
    {},
    {"x": "y"},
    "\ufffd",
)
_TOKENS = (
    b"'", b'"', b"\n", b"- ", b": ", b"{", b"}", b"[", b"]", b", ", b"#", b"\\", b"|\n", b"&a ",
    b"*a", b"!!str ", b"\0", b"\x85", b"\xe2\x80\xa8", b"\xff", b"\xef\xbb\xbf", b"chunk: 1",
    b"end: 1", b"request: 1", b"part: true", b"at: 0", b"0.5", b"---\n", b"...\n", b"? ",
    b"data: ", b"\t",
)  # fmt: skip


def wrong_types(document: Any, values: Sequence[Any] = _TYPES) -> Iterator[tuple[str, Any]]:
    """The document with each other value at each place, and with each place left out."""
    for path in _places(document):
        for value in values:
            changed = copy.deepcopy(document)
            _put(changed, path, value)
            yield f"{path} = {value!r}", changed
        if path:
            changed = copy.deepcopy(document)
            holder = changed
            for step in path[:-1]:
                holder = holder[step]
            del holder[path[-1]]
            yield f"without {path}", changed


def mutated(content: bytes, dice: random.Random) -> bytes:
    """Some bytes changed, cut, doubled, moved, or replaced by what means something in YAML."""
    data = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        until = min(len(data), at + dice.choice((1, 2, 8, 64, 512)))
        match dice.randrange(5):
            case 0:
                data[at:at] = dice.choice(_TOKENS)
            case 1:
                data[at:until] = b""
            case 2:
                data[at:until] = data[at:until] * 2
            case 3:
                data[at:until] = dice.choice(_TOKENS)
            case _:
                cut = data[at:until]
                data[at:until] = b""
                place = dice.randrange(len(data) + 1)
                data[place:place] = cut
    return bytes(data)


def must_be_borne(content: bytes) -> Cassette | None:
    """Open a cassette and look through all of it.

    Whatever is wrong is a `CassetteError` with one line; what is taken can be shown and cleaned.
    """
    try:
        cassette = loads(content, Path("x.yaml"))
    except CassetteError as error:
        text = str(error)
        assert "\n" not in text, text
        assert len(text) < 600, text
        return None
    show_json(cassette)
    transcripts(cassette)
    cleaned, _ = clean(cassette, Redactor())
    again, leaks = clean(cleaned, Redactor())
    assert again == cleaned
    assert not leaks
    return cassette


def dumped(document: Any) -> bytes:
    """The document as YAML."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode()


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*path, index))


def _put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    if not path:
        return
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value
