"""`show`: a cassette for people at a terminal, as rich renderables.

Knows what to show and in which order; every text of the cassette goes through `rows.safe`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from wiretape.analysis.answer import GENERATING
from wiretape.analysis.marks import MarkKind, marks_told
from wiretape.analysis.messages import call_line, message_lines
from wiretape.analysis.parameters import parameters_text
from wiretape.analysis.printable import counted, cut, raw_bytes, seconds
from wiretape.analysis.rows import INDENT, LABEL, Heading, Row, safe, safe_line
from wiretape.analysis.threads import Place, places, repeated
from wiretape.analysis.timeline import in_words, last_us, strip
from wiretape.analysis.tokens import tokens_text
from wiretape.analysis.transcript import transcripts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from wiretape.analysis.answer import Choice, ToolCall, Transcript
    from wiretape.core.model import Cassette, Interaction

LONGEST_MESSAGE = 2000
"""Characters shown of one message of a request; the reply is always shown whole."""

LONGEST_UNKNOWN = 400
MOST_UNKNOWN = 5
_STYLES = {"system": "magenta", "developer": "magenta", "user": "green", "tool": "blue"}
_SERIOUS = frozenset(
    {MarkKind.ERROR, MarkKind.BROKEN, MarkKind.CUT_OFF, MarkKind.INVALID_ARGUMENTS}
)


def show_text(cassette: Cassette, *, raw: bool = False) -> RenderableType:
    """A cassette as a rich renderable that fits any width from 60 columns.

    Args:
        cassette: what to show.
        raw: every entry with its time since the session began and its bytes, instead of the
            conversation.
    """
    shown: list[RenderableType] = [_title(cassette)]
    shown += [Row("warning", safe(warning), "yellow", 0, 7) for warning in cassette.warnings]
    read = transcripts(cassette)
    place, same_as = places(read), repeated(read)
    parameters: dict[int | None, str] = {}
    for transcript in read:
        number = transcript.interaction.number
        parameters[number] = parameters_text(transcript.question.body)
        shown += [Text(""), _head(transcript)]
        if raw:
            shown += _raw(transcript.interaction)
        else:
            shown += _asked(transcript, place[number], same_as.get(number))
            # A conversation that goes on does so with the same ones, most often.
            if parameters[number] != parameters.get(place[number].earlier):
                shown += _with(transcript, parameters[number])
            shown += _answered(transcript)
            shown += _measured(transcript)
            shown += _marked(transcript)
    return Group(*shown)


def _title(cassette: Cassette) -> Heading:
    count = len(cassette.interactions())
    title = safe_line(cassette.name, "bold")
    title.append(f" · {count} interaction{'' if count == 1 else 's'} with ", "not bold")
    title.append_text(safe_line(cassette.upstream, "not bold"))
    title.append(f" · {cassette.recorded:%Y-%m-%d %H:%M:%S} UTC", "not bold")
    return Heading(title)


def _head(transcript: Transcript) -> Heading:
    interaction, request = transcript.interaction, transcript.interaction.request
    head = Text(f"#{interaction.number} ", "bold")
    head.append_text(safe_line(f"{request.method} {request.target}"))
    model = transcript.question.model or transcript.model
    if model:
        head.append(" ")
        head.append_text(safe_line(model, "italic"))
    status = interaction.response.status if interaction.response else "no response"
    outcome = interaction.outcome.value.replace("_", " ") if interaction.outcome else "unfinished"
    lasted = seconds(last_us(interaction) - request.at_us)
    head.append(f" → {status}, {outcome}, {lasted}")
    return Heading(head)


def _asked(transcript: Transcript, place: Place, same_as: int | None) -> Iterator[Row]:
    question = transcript.question
    left_out = place.shared + place.echoed
    said = []
    if left_out and same_as is not None:
        said.append(f"same request as #{same_as}")
    elif left_out:
        said.append(f"{counted(left_out, 'earlier message')}: see #{place.earlier}")
    if transcript.retry:
        said.append(f"retry {transcript.retry}")
    if said:
        yield Row("", Text(f"({', '.join(said)})", "dim"))
    for message in question.messages[left_out:]:
        for who, text in message_lines(message):
            yield _message(who, text)
    if question.tools and not left_out:
        yield Row("", Text(f"({counted(question.tools, 'tool')} offered)", "dim"))
    body = transcript.interaction.request.body
    if body.content is None:
        size = counted(body.length, "byte")
        yield Row("", Text(f"(the request's body, {size}, was not kept)", "dim"))
    elif not question.messages and body.content:
        text = cut(body.content.decode(errors="backslashreplace"), LONGEST_UNKNOWN)
        yield Row("body", safe(text), "green")


def _with(transcript: Transcript, parameters: str) -> Iterator[Row]:
    """What was asked for besides; of a request without messages the body is shown as it is."""
    if transcript.question.messages and parameters:
        yield Row("with", safe_line(parameters, "dim"), "green")


def _message(who: str, text: str) -> Row:
    return Row(who, safe(cut(text, LONGEST_MESSAGE)), _STYLES.get(who, "green"))


def _answered(transcript: Transcript) -> Iterator[Row]:
    several = len(transcript.choices) > 1
    for choice in transcript.choices:
        if several:
            yield Row("", Text(f"choice {choice.index}", "dim"))
        yield from _choice(transcript, choice)
    if transcript.summary:
        yield Row("answer", safe(transcript.summary))
    yield from (Row("error", safe(each.message), "red") for each in transcript.failures)
    if transcript.failures and not transcript.choices:
        return
    unknown = transcript.unknown
    for each in unknown[:MOST_UNKNOWN]:
        label = "not known" if transcript.dialect in GENERATING else "body"
        prefix = f"{each.what}: " if transcript.dialect in GENERATING else ""
        yield Row(label, safe(prefix + cut(each.raw, LONGEST_UNKNOWN)), "yellow")
    if len(unknown) > MOST_UNKNOWN:
        yield Row("", Text(f"({len(unknown) - MOST_UNKNOWN} more like these; see --raw)", "dim"))


def _choice(transcript: Transcript, choice: Choice) -> Iterator[Row]:
    if choice.reasoning:
        yield Row("reasoning", safe(choice.reasoning, "dim italic"), "dim")
    if choice.content:
        yield Row(choice.role or "answer", safe(choice.content, "bold"), "bold cyan")
    if choice.refusal:
        yield Row("refusal", safe(choice.refusal, "red"), "red")
    for call in choice.tool_calls:
        yield Row(f"call {call.index + 1}", _call(transcript, call), "bold yellow")
    if choice.finish_reason:
        finish = safe_line(choice.finish_reason)
        if choice.finish not in {None, choice.finish_reason}:
            finish.append_text(safe_line(f" ({choice.finish})", "dim"))
        used = tokens_text(transcript) if choice is transcript.main else ""
        finish.append_text(safe_line(f" · {used}" if used else ""))
        yield Row("finish", finish)


def _call(transcript: Transcript, call: ToolCall) -> Text:
    began = transcript.interaction.request.at_us
    line = safe(call_line(call.name, call.arguments, call.arguments_raw), "bold")
    when = f"  {seconds(call.start_us - began)}"
    if call.end_us > call.start_us:
        when += f" to {seconds(call.end_us - began)}"
    line.append(when, "dim")
    if call.id:
        line.append_text(safe_line(f"  {call.id}", "dim"))
    return line


def _measured(transcript: Transcript) -> Iterator[RenderableType]:
    interaction = transcript.interaction
    if interaction.response or interaction.end:
        yield Timeline(interaction, in_words(transcript))


@dataclass(frozen=True, slots=True)
class Timeline:
    """The strip of blocks and its words, as wide as there is room."""

    interaction: Interaction
    words: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out in the width there is."""
        room = options.max_width - INDENT - LABEL - 1 - len(self.words) - 2
        text = Text(strip(self.interaction, min(40, max(8, room))), "cyan")
        text.append(f"  {self.words}", "dim")
        yield from Row("time", text, "dim").__rich_console__(console, options)


def _marked(transcript: Transcript) -> Iterator[Row]:
    for mark in marks_told(transcript):
        style = "bold red" if mark.kind in _SERIOUS else "bold yellow"
        yield Row("  look", safe(cut(mark.text, LONGEST_UNKNOWN)), style)


def _raw(interaction: Interaction) -> Iterator[Row]:
    request = interaction.request
    body = raw_bytes(request.body.content) if request.body.content is not None else ""
    if not body and request.body.length:
        body = f"({request.body.length} bytes, not kept, sha256 {request.body.digest()})"
    yield _entry(request.at_us, "request", Text(body))
    response = interaction.response
    if response:
        fields = "\n".join(f"{name}: {value}" for name, value in response.headers)
        yield _entry(response.at_us, "response", safe(f"{response.status}\n{fields}"))
    for position, chunk in enumerate(interaction.chunks):
        label = f"chunk {position + 1}" + ("+" if chunk.part else "")
        yield _entry(chunk.at_us, label, Text(raw_bytes(chunk.data)))
    if interaction.end:
        yield _entry(interaction.end.at_us, "end", Text(interaction.end.outcome.value))


def _entry(at_us: int, label: str, text: Text) -> Row:
    return Row(f"{at_us / 1e6:12.6f}  {label}", text, "cyan", 0, 25, by_letter=True)
