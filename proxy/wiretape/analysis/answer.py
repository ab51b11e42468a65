"""What a transcript is made of: choices, tool calls, spans, failures, breaks.

Types only; says nothing about any dialect. Chunk indexes count an interaction's chunks from 0.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.analysis.events import MISSING
from wiretape.core.model import header

if TYPE_CHECKING:
    from wiretape.analysis.events import Event
    from wiretape.analysis.question import Question
    from wiretape.core.model import Interaction


_DIGITS = 10


class Dialect(enum.Enum):
    """Whose protocol an interaction speaks."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_COMPLETIONS = "openai_completions"
    OPENAI_RESPONSES = "openai_responses"
    ANTHROPIC_MESSAGES = "anthropic_messages"
    OLLAMA_CHAT = "ollama_chat"
    OLLAMA_GENERATE = "ollama_generate"
    EMBEDDINGS = "embeddings"
    MODELS = "models"
    OTHER = "other"


GENERATING = frozenset(
    {
        Dialect.OPENAI_CHAT,
        Dialect.OPENAI_COMPLETIONS,
        Dialect.OPENAI_RESPONSES,
        Dialect.ANTHROPIC_MESSAGES,
        Dialect.OLLAMA_CHAT,
        Dialect.OLLAMA_GENERATE,
    }
)
"""The dialects in which a model answers."""


class Part(enum.Enum):
    """What a span of an answer is."""

    CONTENT = "content"
    REASONING = "reasoning"
    REFUSAL = "refusal"
    TOOL_CALL = "tool_call"
    FINISH = "finish"
    USAGE = "usage"
    ERROR = "error"
    UNKNOWN = "unknown"


SAID = frozenset({Part.CONTENT, Part.REASONING, Part.REFUSAL, Part.TOOL_CALL})
"""The parts that the model itself wrote: the first of them is the first token."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of an answer and the chunk that completed it.

    Attributes:
        chunk: index of the chunk with its event's last byte: when it could be read.
        part: what it is.
        text: the piece, as sent: of a tool call a fragment of its arguments ("" where only
            the call's name came), of a finish its reason.
        choice: the choice's index as sent.
        call: position of the tool call in its choice; None for other parts.
        first_chunk: index of the chunk with its event's first byte.
    """

    chunk: int
    part: Part
    text: str
    choice: int = 0
    call: int | None = None
    first_chunk: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call, whole or as far as it came.

    Attributes:
        index: its position in the answer, from 0.
        id: as sent; None where the dialect or the server has none.
        name: the function's; "" if it never came.
        arguments: parsed; MISSING if `arguments_raw` is not JSON.
        arguments_raw: as sent; compact JSON where the dialect sends an object.
        chunks: indexes of the chunks that it came in.
        start_us: when its first piece came, microseconds since the session began.
        end_us: when its last piece came.
        sent_index: the index that the server gave it; None if it gave none.
    """

    index: int
    id: str | None
    name: str
    arguments: Any
    arguments_raw: str
    chunks: tuple[int, ...]
    start_us: int
    end_us: int
    sent_index: int | None = None

    @property
    def valid(self) -> bool:
        """Whether the arguments are JSON."""
        return self.arguments is not MISSING


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the alternative answers to a request.

    Attributes:
        index: as sent.
        role: as sent, or `assistant` where the dialect leaves it unsaid.
        content: the text; "" if none came.
        reasoning: the thinking, under whichever name it came; None if none came.
        refusal: None if none came.
        tool_calls: in order of their first piece.
        finish_reason: as sent; None if none came.
        finish: the same in one vocabulary for all dialects: `stop`, `tool_calls`, `length`,
            `content_filter`, `error`, or as sent where it is none of these.
    """

    index: int
    role: str | None
    content: str
    reasoning: str | None
    refusal: str | None
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str | None
    finish: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that the server reported, in the stream or instead of it.

    Attributes:
        message: its text.
        type: its type or code as sent; None if it has none.
        chunk: index of the chunk that it came in.
        raw: the event's data.
    """

    message: str
    type: str | None
    chunk: int
    raw: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that no dialect knows, kept as it came.

    Attributes:
        what: where it stood or why it is not known, in a few words.
        raw: the event's data, or the part's JSON.
        chunk: index of the chunk that it came in.
    """

    what: str
    raw: str
    chunk: int


@dataclass(frozen=True, slots=True)
class Break:
    """Where a response is broken.

    Attributes:
        chunk: index of the chunk; None if no chunk came at all.
        offset: in bytes of the body (after content decoding).
        what: what is wrong there, in a few words.
    """

    chunk: int | None
    offset: int
    what: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What one interaction meant.

    Attributes:
        interaction: what was recorded.
        dialect: how it was read.
        question: the request, read.
        events: what the body decoded to.
        choices: sorted by index; empty where no model answered.
        spans: all pieces of all choices, in order.
        model: as the response names it; None if it does not.
        usage: as sent (for ollama's own API its counters and durations); None if none came.
        timings: llama.cpp's own measurements, as sent; None if none came.
        summary: of a response that is no conversation, what it is ("3 vectors of 768 numbers").
        failures: errors that the server reported.
        unknown: what no dialect knows.
        breaks: where the response is broken, first things first.
    """

    interaction: Interaction
    dialect: Dialect
    question: Question
    events: tuple[Event, ...]
    choices: tuple[Choice, ...] = ()
    spans: tuple[Span, ...] = ()
    model: str | None = None
    usage: dict[str, Any] | None = None
    timings: dict[str, Any] | None = None
    summary: str | None = None
    failures: tuple[Failure, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    breaks: tuple[Break, ...] = ()

    @property
    def retry(self) -> int:
        """Which retry of its client's the request is; 0 where it is none, or does not say."""
        count = header(self.interaction.request.headers, "x-stainless-retry-count") or ""
        text = count.strip()
        return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else 0

    @property
    def main(self) -> Choice | None:
        """The first choice; None where no model answered."""
        return self.choices[0] if self.choices else None

    @property
    def role(self) -> str | None:
        """The main choice's role."""
        return self.main.role if self.main else None

    @property
    def content(self) -> str | None:
        """The main choice's text; None where no model answered."""
        return self.main.content if self.main else None

    @property
    def reasoning(self) -> str | None:
        """The main choice's reasoning."""
        return self.main.reasoning if self.main else None

    @property
    def refusal(self) -> str | None:
        """The main choice's refusal."""
        return self.main.refusal if self.main else None

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The main choice's tool calls."""
        return self.main.tool_calls if self.main else ()

    @property
    def finish_reason(self) -> str | None:
        """The main choice's finish reason, as sent."""
        return self.main.finish_reason if self.main else None

    @property
    def first_said_us(self) -> int | None:
        """When the first piece of the model's own came (the first token); None if none did."""
        for span in self.spans:
            if span.part in SAID:
                return self.interaction.chunks[span.chunk].at_us
        return None
