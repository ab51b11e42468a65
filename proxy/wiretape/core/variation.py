"""Requests asked otherwise: members of their JSON bodies set to other values (`--set`).

Knows bodies and where ollama keeps its sampling options; sends nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_OLLAMA = ("/api/chat", "/api/generate")
_OPTIONS = frozenset(
    {
        "frequency_penalty",
        "min_p",
        "num_ctx",
        "num_predict",
        "presence_penalty",
        "repeat_penalty",
        "seed",
        "stop",
        "temperature",
        "top_k",
        "top_p",
    }
)
_LONGEST_LABEL = 80
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.=,+_-]")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A member of a request's body and the value that it gets.

    Attributes:
        text: as it was written, `options.temperature=0.7`.
        path: the member's name, and before it those of the objects that hold it.
        value: any JSON value.
        removes: the member is taken away instead.
    """

    text: str
    path: tuple[str, ...]
    value: Any
    removes: bool = False

    @classmethod
    def parse(cls, text: str) -> Assignment:
        """Read `NAME=VALUE`; the value is JSON, else text; nothing takes the member away.

        Raises:
            UsageError: there is no name or no `=`, or the value is nested too deeply.
        """
        name, equals, given = text.partition("=")
        path = tuple(name.strip().split("."))
        if not equals or not all(path):
            raise UsageError(f"bad assignment {text!r}: write NAME=VALUE, such as temperature=0.7")
        try:
            value = json.loads(given)
        except ValueError:
            value = given
        except RecursionError:
            raise UsageError(f"cannot set {name!r}: the value is nested too deeply") from None
        return cls(text, path, value, removes=not given)


def varied(body: bytes, path: str, assignments: Sequence[Assignment]) -> bytes:
    """A request's body with some of its members set.

    Args:
        body: as recorded.
        path: of the request; ollama's own endpoints have sampling options in `options`.
        assignments: in the order in which they are made.

    Raises:
        UsageError: the body is no JSON object or nested too deeply, or what is to hold a member
            is no object.
    """
    if not assignments:
        return body
    try:
        return _varied(body, path, assignments)
    except RecursionError:
        text = f"nothing can be set in a request to {path}: its body is nested too deeply"
        raise UsageError(text) from None


def _varied(body: bytes, path: str, assignments: Sequence[Assignment]) -> bytes:
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise UsageError(f"nothing can be set in a request to {path}: its body is no JSON object")
    for assignment in assignments:
        _assign(fields, _place(assignment, path), assignment)
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "backslashreplace"
    )


def label_of(assignments: Sequence[Assignment]) -> str:
    """A part of a file name that tells these assignments from others; empty for none."""
    text = ",".join(each.text for each in assignments)
    label = _NOT_IN_NAMES.sub("_", text)
    if label == text and len(label) <= _LONGEST_LABEL:
        return label
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{label[:_LONGEST_LABEL]}-{digest}"


def _place(assignment: Assignment, path: str) -> tuple[str, ...]:
    names = assignment.path
    if len(names) == 1 and names[0] in _OPTIONS and path.endswith(_OLLAMA):
        return ("options", *names)
    return names


def _assign(fields: dict[str, Any], place: tuple[str, ...], assignment: Assignment) -> None:
    holder = fields
    for name in place[:-1]:
        holder = holder.setdefault(name, {})
        if not isinstance(holder, dict):
            raise UsageError(f"cannot set {assignment.text!r}: {name!r} is no object there")
    if assignment.removes:
        holder.pop(place[-1], None)
    else:
        holder[place[-1]] = assignment.value
