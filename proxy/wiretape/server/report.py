"""A session's report in words, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wiretape.analysis.printable import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_LISTED = 10
_UNUSED_LISTED = 3


def report_lines(report: Mapping[str, Any], *, strict: bool = False) -> list[str]:
    """What came of a session, from its report as JSON; empty where nothing happened.

    Args:
        report: as `Session.report` gives it.
        strict: what was not used is a failure: all of it is listed, and not the first few.
    """
    lines: list[str] = []
    name = report["session"]
    if report["recorded"]:
        lines.append(f"session {name}: recorded {counted(report['recorded'], 'interaction')}")
    if report["error"]:
        lines.append(f"session {name}: recording stopped: {report['error']}")
    if report["used_before"]:
        lines.append(f"session {name}: {len(report['used_before'])} used before it was rewound")
    if report["missed_before"]:
        lines.append(f"session {name}: {report['missed_before']} missed before it was rewound")
    if not report["interactions"] and not report["misses"]:
        return lines
    missed = len(report["misses"]) + report["misses_left_out"]
    lines.append(
        f"session {name}: {report['interactions']} recorded, {len(report['used'])} used,"
        f" {len(report['unused'])} unused, {missed} missed"
    )
    if report["order"] is not None and report["order"].startswith("shuffle"):
        lines.append(f"  to have this order again: --order {report['order']}")
    lines += _listed(report["misses"], _missed, left_out=report["misses_left_out"])
    unused = never_used(report)
    longest = len(unused) if strict else _UNUSED_LISTED
    lines += _listed(unused, lambda each: [f"unused: {_named(each)}{asking(each)}"], longest)
    lines += _listed(report["stalls"], _stalled)
    lines += _listed([each for each in report["divergences"] if each["differences"]], _diverged)
    if report["divergences_left_out"]:
        lines.append(f"  {report['divergences_left_out']} more matched, but not to the letter")
    return lines


def never_used(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The recordings that were not used since a session began, also not before it was rewound."""
    before = {(each["cassette"], each["interaction"]) for each in report["used_before"]}
    return [
        each for each in report["unused"] if (each["cassette"], each["interaction"]) not in before
    ]


def asking(each: Mapping[str, Any]) -> str:
    """What a recording in a report asks, for the end of the line that names it."""
    return f": {each['asks']}" if each.get("asks") else ""


def missing_why(stall: Mapping[str, Any]) -> str:
    """Why what an order waited for did not come, for the end of the line that tells of it."""
    return "whose client did not read" if stall["paused"] else "not there"


def _missed(miss: Mapping[str, Any]) -> list[str]:
    first, *others = miss["text"].splitlines()
    return [f"missed: {first}", *(f"  {line}" for line in others)]


def _stalled(stall: Mapping[str, Any]) -> list[str]:
    waiting, missing = _named(stall["waiting"]), _named(stall["missing"])
    return [
        f"stalled: {waiting} waited {stall['waited_s']:.1f} s for {missing}, {missing_why(stall)}"
    ]


def _diverged(each: Mapping[str, Any]) -> list[str]:
    return [
        f"matched by {each['match']} only: {_named(each)}",
        *(
            f"  {difference['pointer']}: recorded {difference['recorded']},"
            f" received {difference['received']}"
            for difference in each["differences"]
        ),
    ]


def _named(each: Mapping[str, Any]) -> str:
    return f"#{each['interaction']} {each['method']} {each['target']} in {each['cassette']}"


def _listed(
    items: Sequence[Mapping[str, Any]],
    words: Callable[[Mapping[str, Any]], list[str]],
    longest: int = _LISTED,
    left_out: int = 0,
) -> list[str]:
    lines = [f"  {line}" for each in items[:longest] for line in words(each)]
    more = len(items) + left_out - longest
    return [*lines, f"  and {more} more"] if more > 0 else lines
