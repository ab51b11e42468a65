"""A session's report in words, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LISTED = 10


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """What came of a session, from its report as JSON; empty where nothing happened.

    Args:
        report: as `Session.report` gives it.
    """
    lines: list[str] = []
    name = report["session"]
    if report["recorded"]:
        lines.append(f"session {name}: recorded {report['recorded']} interactions")
    if report["error"]:
        lines.append(f"session {name}: recording stopped: {report['error']}")
    if not report["interactions"] and not report["misses"]:
        return lines
    lines.append(
        f"session {name}: {report['interactions']} recorded, {len(report['used'])} used,"
        f" {len(report['unused'])} unused, {len(report['misses'])} missed"
    )
    for miss in _some(report["misses"]):
        lines += [
            f"  missed: {line}" if not index else f"    {line}"
            for index, line in enumerate(miss["text"].splitlines())
        ]
    for each in _some(report["unused"]):
        lines.append(f"  unused: {_named(each)}")
    for stall in _some(report["stalls"]):
        lines.append(
            f"  stalled: {_named(stall['waiting'])} waited {stall['waited_s']:.1f} s for"
            f" {_named(stall['missing'])}, which did not come"
        )
    for each in _some(report["divergences"]):
        lines.append(f"  matched by {each['match']} only: {_named(each)}")
        lines += [
            f"    {difference['pointer']}: recorded {difference['recorded']},"
            f" received {difference['received']}"
            for difference in each["differences"]
        ]
    return lines


def _named(each: Mapping[str, Any]) -> str:
    return f"#{each['interaction']} {each['method']} {each['target']} in {each['cassette']}"


def _some(items: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    yield from items[:_LISTED]
    if len(items) > _LISTED:
        return
