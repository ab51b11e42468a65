"""Labelled rows for the terminal: a label at the left, text that wraps beside it.

Knows widths and styles. Text is made safe here: nothing of a cassette reaches a terminal raw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import chop_cells
from rich.segment import Segment
from rich.text import Text

from wiretape.analysis.printable import one_line, printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

INDENT = 3
LABEL = 10
_NARROWEST = 20


def safe(text: str, style: str = "") -> Text:
    """Several lines of text from a cassette, escaped."""
    return Text(printable(text), style)


def safe_line(text: str, style: str = "") -> Text:
    """One line of text from a cassette, escaped."""
    return Text(one_line(text), style)


@dataclass(frozen=True, slots=True)
class Row:
    """A label and a text, laid out as `   label      text` with the text's further lines under it.

    Attributes:
        label: who or what; escaped here.
        text: already escaped, by `safe` or `safe_line`.
        style: of the label.
        indent: columns before the label.
        width: columns of the label.
        by_letter: break lines anywhere rather than between words.
    """

    label: str
    text: Text
    style: str = "cyan"
    indent: int = INDENT
    width: int = LABEL
    by_letter: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out in the width there is."""
        left = self.indent + self.width + 1
        room = max(_NARROWEST, options.max_width - left)
        label = Text(" " * self.indent + one_line(self.label)[: self.width].ljust(self.width + 1))
        label.stylize(self.style)
        for position, line in enumerate(self._lines(console, room)):
            if position:
                yield Segment(" " * left)
            else:
                yield from label.render(console, end="")
            yield from line.render(console, end="")
            yield Segment.line()

    def _lines(self, console: Console, room: int) -> list[Text]:
        if self.by_letter:
            lines = self.text.plain.split("\n")
            return [Text(piece, self.text.style) for line in lines for piece in _chop(line, room)]
        return wrapped(self.text, console, room)


def _chop(line: str, room: int) -> list[str]:
    return chop_cells(line, room) or [""]


def wrapped(text: Text, console: Console, room: int) -> list[Text]:
    """Text in lines of `room` columns, without blanks at their ends."""
    lines = list(text.wrap(console, room, overflow="fold"))
    for line in lines:
        line.rstrip()
    return lines


@dataclass(frozen=True, slots=True)
class Heading:
    """A text whose further lines stand indented."""

    text: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out in the width there is."""
        room = max(_NARROWEST, options.max_width - INDENT)
        for position, line in enumerate(wrapped(self.text, console, room)):
            if position:
                yield Segment(" " * INDENT)
            yield from line.render(console, end="")
            yield Segment.line()


@dataclass(frozen=True, slots=True)
class Unpadded:
    """Something that pads its lines, as a table does, without blanks at their ends."""

    shown: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out in the width there is."""
        for line in console.render_lines(self.shown, options, pad=False):
            while line and not line[-1].text.rstrip(" "):
                line.pop()
            if line:
                text, style, control = line.pop()
                yield from line
                yield Segment(text.rstrip(" "), style, control)
            yield Segment.line()
