"""Which dialect an interaction speaks, and what reads it.

Knows the paths and the looks of every dialect; the reading itself is in their modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from wiretape.analysis.answer import Dialect
from wiretape.analysis.anthropic_messages import AnthropicMessages
from wiretape.analysis.listings import Embeddings, Models
from wiretape.analysis.ollama import Ollama
from wiretape.analysis.openai_chat import OpenAiChat
from wiretape.analysis.openai_completions import OpenAiCompletions
from wiretape.analysis.openai_responses import OpenAiResponses
from wiretape.analysis.shape import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wiretape.analysis.assembly import Assembly
    from wiretape.analysis.events import Event


class Reader(Protocol):
    """What reads the events of one dialect into an assembly."""

    def read(self, event: Event, value: dict[str, Any]) -> bool:
        """Read one event; False if it is not of this dialect."""


_PATHS = (
    ("/chat/completions", Dialect.OPENAI_CHAT),
    ("/completions", Dialect.OPENAI_COMPLETIONS),
    ("/responses", Dialect.OPENAI_RESPONSES),
    ("/messages", Dialect.ANTHROPIC_MESSAGES),
    ("/api/chat", Dialect.OLLAMA_CHAT),
    ("/api/generate", Dialect.OLLAMA_GENERATE),
    ("/embeddings", Dialect.EMBEDDINGS),
    ("/api/embed", Dialect.EMBEDDINGS),
    ("/models", Dialect.MODELS),
    ("/api/tags", Dialect.MODELS),
    ("/api/ps", Dialect.MODELS),
)
_OBJECTS = {
    "chat.completion": Dialect.OPENAI_CHAT,
    "chat.completion.chunk": Dialect.OPENAI_CHAT,
    "text_completion": Dialect.OPENAI_COMPLETIONS,
    "response": Dialect.OPENAI_RESPONSES,
}
_READERS: dict[Dialect, type[Reader]] = {
    Dialect.OPENAI_CHAT: OpenAiChat,
    Dialect.OPENAI_COMPLETIONS: OpenAiCompletions,
    Dialect.OPENAI_RESPONSES: OpenAiResponses,
    Dialect.ANTHROPIC_MESSAGES: AnthropicMessages,
    Dialect.OLLAMA_CHAT: Ollama,
    Dialect.OLLAMA_GENERATE: Ollama,
    Dialect.EMBEDDINGS: Embeddings,
    Dialect.MODELS: Models,
}
_LOOKED_AT = 20


def dialect_of(method: str, path: str, events: Iterable[Event]) -> Dialect:
    """The dialect by the looks of the first events, else by the path.

    The looks come first: a path may be a gateway's own, and what was sent is the better witness.
    """
    for position, event in enumerate(events):
        if position >= _LOOKED_AT:
            break
        if isinstance(event.json, dict):
            seen = _looks(event.json)
            if seen is not None:
                return seen
    bare = path.rstrip("/")
    for suffix, dialect in _PATHS:
        asks = "GET" if dialect is Dialect.MODELS else "POST"
        if bare.endswith(suffix) and method.upper() == asks:
            return dialect
    return Dialect.OTHER


def _looks(value: dict[str, Any]) -> Dialect | None:
    named = _OBJECTS.get(as_text(value.get("object")))
    if named is not None:
        return named
    kind = as_text(value.get("type"))
    if kind.startswith("response."):
        return Dialect.OPENAI_RESPONSES
    if kind == "message_start" or (kind == "message" and isinstance(value.get("content"), list)):
        return Dialect.ANTHROPIC_MESSAGES
    if isinstance(value.get("done"), bool):
        if isinstance(value.get("message"), dict):
            return Dialect.OLLAMA_CHAT
        if isinstance(value.get("response"), str):
            return Dialect.OLLAMA_GENERATE
    return None


def reader_of(dialect: Dialect, assembly: Assembly) -> Reader | None:
    """What reads this dialect into the assembly; None for OTHER."""
    reader = _READERS.get(dialect)
    if reader is None:
        return None
    made: Reader = reader(assembly)  # type: ignore[call-arg]  # every reader takes an assembly
    return made
