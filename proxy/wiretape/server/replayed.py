"""One recorded answer as it goes out again: its framing, the bytes of each step, its ending.

Knows what a cassette may say, also one written by hand; nothing of order, pace or sockets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wiretape.core.model import Outcome, header
from wiretape.server.downstream import STATUSES_OF_PROXY, error_answer
from wiretape.server.framing import NO_BODY_STATUSES, Framing, chunks_in_parts, encode_pieces
from wiretape.server.headers import INTERACTION_HEADER, MATCH_HEADER, listed, without_marks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wiretape.core.matching import Match
    from wiretape.core.model import Headers, Interaction
    from wiretape.server.downstream import Downstream

# A cassette may have come from anybody: a page in it must not be one of the proxy's own site, whose
# scripts could read the other cassettes.
_SANDBOX: Headers = (("Content-Security-Policy", "sandbox allow-scripts allow-forms"),)


@dataclass(frozen=True, slots=True)
class Wire:
    """The bytes of an answer's steps, which are those of its track in the schedule.

    Attributes:
        head: of the first step; the whole answer where there is but one.
        body: of a step each.
        chunked: whether each of the body is a chunk that has to be framed; else it goes as it is.
        end: of the last step; None where the recording has no end.
    """

    head: bytes
    body: Sequence[bytes] = ()
    chunked: bool = False
    end: bytes | None = None

    def __len__(self) -> int:
        """How many steps there are."""
        return 1 + len(self.body) + (self.end is not None)

    def between(self, first: int, last: int) -> bytes:
        """What goes out with the steps from `first` on that come before `last`."""
        body = self.body[max(first - 1, 0) : last - 1]
        parts = chunks_in_parts(body) if self.chunked else list(body)
        if not first:
            parts.insert(0, self.head)
        if self.end and last == len(self):
            parts.append(self.end)
        return b"".join(parts)


def replayed_wire(
    interaction: Interaction, downstream: Downstream, match: Match, target: str
) -> Wire:
    """How a recorded answer goes out to this client."""
    marks: Headers = (
        (INTERACTION_HEADER, str(interaction.number)),
        (MATCH_HEADER, match.level.value),
    )
    if downstream.shows_page:
        marks += _SANDBOX
    outcome = interaction.outcome
    if interaction.response is None:
        if outcome not in STATUSES_OF_PROXY:
            return Wire(b"")
        status = STATUSES_OF_PROXY[outcome]
        text = f"no response from the upstream (recorded: {outcome.value})"
        answer = error_answer(
            status, target, text, kind="api_error", code=outcome.value, extra=marks
        )
        head = downstream.write_head(status, answer.headers, Framing.LENGTH)
        return Wire(head + answer.body)
    response = interaction.response
    headers, framing = without_marks(response.headers), replay_framing(interaction)
    body = [chunk.data for chunk in interaction.chunks]
    whole = replayed_ending(interaction) is Outcome.COMPLETE
    if framing is Framing.NONE:
        body = [b""] * len(body)
    elif whole and framing is Framing.LENGTH:
        headers = _with_length(headers, sum(map(len, body)))
    head = downstream.write_head(response.status, headers, framing, extra=marks)
    parts = [chunk.part for chunk in interaction.chunks]
    plain = True not in parts and b"" not in body
    if downstream.chunked and not plain:
        if whole:
            parts[-1] = False
        body = encode_pieces(list(zip(body, parts, strict=True)))
    end = None
    if interaction.end is not None:
        end = downstream.last_chunk if whole else b""
    return Wire(head, body, downstream.chunked and plain, end)


def _with_length(headers: Headers, length: int) -> Headers:
    """Headers that fit a whole body: one edited by hand must not leave its client waiting."""
    if (header(headers, "content-length") or "").lstrip("0") == str(length).lstrip("0"):
        return headers
    return tuple(
        (name, str(length)) if name.lower() == "content-length" else (name, value)
        for name, value in headers
    )


def replayed_ending(interaction: Interaction) -> Outcome:
    """How a replay ends on the wire: `COMPLETE`, `UPSTREAM_RESET` or else `UPSTREAM_CLOSED`.

    What the proxy had answered in place of an upstream was whole.
    """
    outcome, response = interaction.outcome, interaction.response
    if outcome in STATUSES_OF_PROXY and (response is None or _is_own(interaction)):
        return Outcome.COMPLETE
    if response is None and outcome is Outcome.COMPLETE:
        return Outcome.UPSTREAM_CLOSED  # by hand: there is nothing that could be whole
    whole_or_reset = outcome in {Outcome.COMPLETE, Outcome.UPSTREAM_RESET}
    return outcome if outcome and whole_or_reset else Outcome.UPSTREAM_CLOSED


def _is_own(interaction: Interaction) -> bool:
    """Whether a recorded answer is the proxy's own, and not one that an upstream had begun."""
    response, length = interaction.response, sum(len(chunk.data) for chunk in interaction.chunks)
    outcome = interaction.outcome
    if response is None or outcome is None or response.status != STATUSES_OF_PROXY.get(outcome):
        return False
    declared = header(response.headers, "content-length")
    return outcome is Outcome.UPSTREAM_UNREACHABLE or declared == str(length)


def replay_framing(interaction: Interaction) -> Framing:
    """How a recorded body was framed, told from its head.

    A cassette written by hand need say nothing: it is streamed in chunks then.
    """
    response = interaction.response
    if (
        response is None
        or response.status in NO_BODY_STATUSES
        or interaction.request.method == "HEAD"
    ):
        return Framing.NONE
    codings = listed(response.headers, "transfer-encoding")
    if codings:  # of which the last one frames (RFC 9112, section 6.3)
        return Framing.CHUNKED if codings[-1] == "chunked" else Framing.UNTIL_CLOSE
    if header(response.headers, "content-length") is not None:
        return Framing.LENGTH
    closes = "close" in listed(response.headers, "connection")
    return Framing.UNTIL_CLOSE if closes else Framing.CHUNKED
