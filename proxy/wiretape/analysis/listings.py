"""Responses that are no conversation: embeddings and lists of models, in one line each.

Knows OpenAI's and ollama's shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.analysis.shape import as_array, objects, text_or_none

if TYPE_CHECKING:
    from wiretape.analysis.assembly import Assembly
    from wiretape.analysis.events import Event

_NAMES_SHOWN = 5


class Embeddings:
    """Reads vectors: `/v1/embeddings`, `/api/embed`, `/api/embeddings`."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def read(self, event: Event, value: dict[str, Any]) -> bool:
        """Read the whole answer; False if there are no vectors."""
        if isinstance(value.get("data"), list):
            vectors = [entry.get("embedding") for entry in objects(value["data"])]
        elif isinstance(value.get("embeddings"), list):
            vectors = value["embeddings"]
        elif isinstance(value.get("embedding"), list):
            vectors = [value["embedding"]]
        else:
            return False
        self._assembly.model = self._assembly.model or text_or_none(value.get("model"))
        usage = value.get("usage")
        if not isinstance(usage, dict) and "prompt_eval_count" in value:
            usage = {"prompt_eval_count": value["prompt_eval_count"]}
        self._assembly.use(usage, event)
        self._assembly.summary = _vectors(vectors)
        return True


def _vectors(vectors: list[Any]) -> str:
    noun = "vector" if len(vectors) == 1 else "vectors"
    sizes = sorted({len(vector) for vector in vectors if isinstance(vector, list)})
    if sizes:
        return f"{len(vectors)} {noun} of {' or '.join(map(str, sizes))} numbers"
    if any(isinstance(vector, str) for vector in vectors):
        return f"{len(vectors)} {noun} in base64"
    return f"{len(vectors)} {noun}"


class Models:
    """Reads lists of models: `/v1/models`, `/api/tags`, `/api/ps`."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def read(self, event: Event, value: dict[str, Any]) -> bool:  # noqa: ARG002 -- the readers' one signature
        """Read the whole answer; False if it is no list of models."""
        entries = value.get("data") if "data" in value else value.get("models")
        if not isinstance(entries, list):
            return False
        names = [
            name
            for entry in objects(as_array(entries))
            if (name := text_or_none(entry.get("id")) or text_or_none(entry.get("name")))
        ]
        shown = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
        noun = "model" if len(entries) == 1 else "models"
        self._assembly.summary = f"{len(entries)} {noun}" + (f": {shown}" if shown else "")
        return True
