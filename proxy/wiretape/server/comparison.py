"""Comparing what a client received with what a cassette says it should have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.analysis.printable import counted, one_line
from wiretape.core.model import Outcome, header
from wiretape.core.routing import is_metadata
from wiretape.server.downstream import STATUSES_OF_PROXY
from wiretape.server.framing import Framing
from wiretape.server.headers import end_to_end, without_marks
from wiretape.server.replayed import replay_framing, replayed_ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wiretape.core.model import Cassette, Headers, Interaction
    from wiretape.core.tempo import Speed
    from wiretape.server.driver import Received


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that was not as recorded."""

    interaction: int
    aspect: str
    text: str


@dataclass(frozen=True, slots=True)
class Timing:
    """|replayed offset - recorded offset| of heads and chunks, since their request, in seconds."""

    p50_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of a comparison.

    Attributes:
        interactions: how many were compared.
        skipped: numbers of those whose request body was not kept, so that none could be sent.
        chunks: how many chunks were compared.
        size_bytes: how many bytes of bodies were compared.
        differences: empty if all is the same.
        timing: None where the speed is instant, which keeps no time.
    """

    interactions: int
    skipped: tuple[int, ...]
    chunks: int
    size_bytes: int
    differences: tuple[Difference, ...]
    timing: Timing | None

    @property
    def same(self) -> bool:
        """Whether bytes, boundaries, endings and order are all as recorded."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        timing = self.timing
        return {
            "same": self.same,
            "interactions": self.interactions,
            "skipped": list(self.skipped),
            "chunks": self.chunks,
            "bytes": self.size_bytes,
            "differences": [
                {"interaction": each.interaction, "aspect": each.aspect, "text": each.text}
                for each in self.differences
            ],
            "timing": timing
            and {"p50_s": timing.p50_s, "p99_s": timing.p99_s, "max_s": timing.max_s},
        }

    def lines(self) -> list[str]:
        """The same in words, for a terminal."""
        lines = [
            f"#{each.interaction} {each.aspect}: {one_line(each.text)}" for each in self.differences
        ]
        if self.skipped:
            numbers = ", ".join(f"#{number}" for number in self.skipped)
            lines.append(f"skipped, for their request bodies were not kept: {numbers}")
        count = len(self.differences)
        verdict = "are the same" if self.same else f"differ in {counted(count, 'place')}"
        lines.append(
            f"{counted(self.interactions, 'interaction')}, {counted(self.chunks, 'chunk')},"
            f" {counted(self.size_bytes, 'byte')}:"
            f" bytes, boundaries, endings and order {verdict}"
        )
        if self.timing is not None:
            lines.append(
                f"timing error p50 {self.timing.p50_s * 1e3:.2f} ms,"
                f" p99 {self.timing.p99_s * 1e3:.2f} ms, max {self.timing.max_s * 1e3:.2f} ms"
            )
        return lines


def compare(
    cassette: Cassette,
    received: Sequence[Received],
    speed: Speed,
    more: Sequence[Difference] = (),
) -> Verification:
    """Compare what came back with what was recorded.

    Args:
        cassette: the recording.
        received: what `drive` gave.
        speed: at which it was played.
        more: differences found elsewhere.
    """
    interactions = {each.number: each for each in cassette.interactions()}
    differences = [
        difference
        for each in received
        for difference in _differences(interactions[each.number], each)
    ]
    asked = {each.asked for each in received}
    answered = {each.number for each in received}
    return Verification(
        interactions=len(received),
        skipped=tuple(number for number in interactions if number not in asked),
        chunks=sum(len(interactions[number].chunks) for number in answered),
        size_bytes=sum(len(each.body) for each in received),
        differences=(*differences, *more),
        timing=_timing(interactions, received, speed),
    )


def order_differences(cassette: Cassette, written: Sequence[tuple[int, int]]) -> list[Difference]:
    """Steps of overlapping interactions that were written in another order than recorded.

    Args:
        cassette: the recording.
        written: (interaction, step) as they went out; step 0 is the head.
    """
    interactions = {
        each.number: each
        for each in cassette.interactions()
        if not is_metadata(each.request.method, each.request.target)
    }
    found: list[Difference] = []
    latest: dict[int, int] = {}
    for number, step in written:
        interaction = interactions.get(number)
        if interaction is None or step + 1 >= len(interaction.positions):
            continue
        position = interaction.positions[step + 1]
        for other, reached in latest.items():
            if reached > position and _overlap(interaction, interactions[other]):
                text = f"step {step} went out after a later one of #{other}"
                found.append(Difference(number, "order", text))
                break
        latest[number] = position
    return found


def _overlap(one: Interaction, other: Interaction) -> bool:
    return one.positions[0] < other.positions[-1] and other.positions[0] < one.positions[-1]


def _differences(recorded: Interaction, received: Received) -> list[Difference]:
    if recorded.response is None and recorded.outcome in STATUSES_OF_PROXY:
        wanted = STATUSES_OF_PROXY[recorded.outcome]
        if received.status == wanted:
            return []
        return [_difference(recorded, "status", f"no upstream ({wanted})", received.status)]
    return [*_head_differences(recorded, received), *_body_differences(recorded, received)]


def _difference(recorded: Interaction, aspect: str, wanted: object, got: object) -> Difference:
    return Difference(recorded.number, aspect, f"recorded {wanted}, received {got}")


def _head_differences(recorded: Interaction, received: Received) -> list[Difference]:
    response = recorded.response
    status = response.status if response else None
    if status != received.status:
        return [_difference(recorded, "status", status, received.status)]
    wanted = _comparable(response.headers if response else ())
    got = _comparable(received.headers)
    if wanted != got:
        return [_difference(recorded, "headers", _only(wanted, got), _only(got, wanted))]
    return []


def _body_differences(recorded: Interaction, received: Received) -> list[Difference]:
    found: list[Difference] = []
    framing = replay_framing(recorded)
    wanted_body = b"" if framing is Framing.NONE else recorded.body()
    if wanted_body != received.body:
        wanted = _first_difference(wanted_body, received.body)
        found.append(_difference(recorded, "bytes", wanted, f"{len(received.body)} bytes"))
    elif framing is Framing.CHUNKED:
        sizes = _sizes([(chunk.data, chunk.part) for chunk in recorded.chunks])
        came = _sizes([(data, part) for data, part, _ in received.pieces])
        if sizes != came:
            found.append(_difference(recorded, "boundaries", sizes, came))
    ending = _ending(recorded, framing)
    if ending is not received.outcome:
        found.append(_difference(recorded, "ending", ending.value, received.outcome.value))
    return found


def _ending(recorded: Interaction, framing: Framing) -> Outcome:
    """How the end of a recorded answer looks from the client's side."""
    ending = replayed_ending(recorded)
    if ending is not Outcome.UPSTREAM_CLOSED:
        return ending
    if recorded.response is not None and framing in {Framing.UNTIL_CLOSE, Framing.NONE}:
        return Outcome.COMPLETE  # closing is the end there
    if framing is Framing.LENGTH and recorded.response is not None:
        declared = header(recorded.response.headers, "content-length")
        if declared == str(len(recorded.body())):
            return Outcome.COMPLETE  # with its last byte, before the recording's end
    return Outcome.UPSTREAM_CLOSED


def _comparable(headers: Headers) -> Headers:
    return without_marks(end_to_end(headers))


def _only(one: Headers, other: Headers) -> str:
    return ", ".join(f"{name}: {value}" for name, value in one if (name, value) not in other) or "-"


def _first_difference(wanted: bytes, got: bytes) -> str:
    pairs = enumerate(zip(wanted, got, strict=False))
    at = next((index for index, (a, b) in pairs if a != b), min(len(wanted), len(got)))
    return f"{len(wanted)} bytes, different from byte {at} on"


def _sizes(pieces: Sequence[tuple[bytes, bool]]) -> list[int]:
    """The sizes of HTTP chunks; the pieces of one are counted together."""
    sizes: list[int] = []
    inside = False
    for data, part in pieces:
        if inside:
            sizes[-1] += len(data)
        elif data:
            sizes.append(len(data))
        inside = part
    return sizes


def _timing(
    interactions: dict[int, Interaction], received: Sequence[Received], speed: Speed
) -> Timing | None:
    if speed.factor is None:
        return None
    errors = sorted(
        error for each in received for error in _errors_s(interactions[each.number], each, speed)
    )
    if not errors:
        return None
    last = len(errors) - 1
    return Timing(errors[round(last * 0.5)], errors[round(last * 0.99)], errors[-1])


def _errors_s(recorded: Interaction, received: Received, speed: Speed) -> list[float]:
    if recorded.response is None or received.status is None or speed.factor is None:
        return []
    steps = [(recorded.response.at_us, received.head_ns)]
    if len(recorded.chunks) == len(received.pieces):
        steps += [
            (chunk.at_us, came_ns)
            for chunk, (_, _, came_ns) in zip(recorded.chunks, received.pieces, strict=True)
        ]
    return [
        abs(
            (came_ns - received.sent_ns) / 1e9
            - (at_us - recorded.request.at_us) / 1e6 / speed.factor
        )
        for at_us, came_ns in steps
    ]
