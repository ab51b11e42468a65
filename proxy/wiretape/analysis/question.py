"""The request as a question: model, messages, and whether a stream was asked for.

Knows the request bodies of every dialect; keeps messages as they were sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.analysis.decoding import field_values
from wiretape.analysis.encodings import Codings, EncodingError
from wiretape.analysis.events import MISSING, parse_json
from wiretape.analysis.shape import as_object

if TYPE_CHECKING:
    from wiretape.core.model import Request


@dataclass(frozen=True, slots=True)
class Question:
    """A request, read.

    Attributes:
        model: as sent; None if the request names none.
        stream: as sent; None if the request does not say.
        messages: in order, as sent; a plain prompt is one user message, and a system text
            that stands apart from the messages comes first.
        body: the whole JSON body; MISSING if it is not JSON or was not kept.
    """

    model: str | None
    stream: bool | None
    messages: tuple[Any, ...]
    body: Any = MISSING

    @property
    def tools(self) -> int:
        """How many tools were offered."""
        tools = as_object(self.body).get("tools")
        return len(tools) if isinstance(tools, list) else 0


def path_of(target: str) -> str:
    """The path of a request target, without its query."""
    return target.partition("?")[0]


def read_request(request: Request) -> Question:
    """Read a request of any dialect; what cannot be read is left out."""
    body = _json_body(request)
    fields = as_object(body)
    model, stream = fields.get("model"), fields.get("stream")
    return Question(
        model if isinstance(model, str) else None,
        stream if isinstance(stream, bool) else None,
        tuple(_messages(fields)),
        body,
    )


def _json_body(request: Request) -> Any:
    content = request.body.content
    if not content:
        return MISSING
    try:
        content = Codings(field_values(request.headers, "content-encoding")).feed(content)
    except EncodingError:
        return MISSING
    return parse_json(content.decode("utf-8-sig", errors="replace"))


def _messages(fields: dict[str, Any]) -> list[Any]:
    # Of Anthropic and ollama, and of Responses, where they may go with a prompt of the server's.
    apart = [fields.get("system"), fields.get("instructions")]
    system = [{"role": "system", "content": text} for text in apart if text]
    messages = fields.get("messages")
    if isinstance(messages, list):
        return system + messages
    return system + _input(fields.get("input", fields.get("prompt")))


def _input(given: Any) -> list[Any]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list):
        return []
    return [{"role": "user", "content": item} if isinstance(item, str) else item for item in given]
