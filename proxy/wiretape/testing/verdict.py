"""What a test is told when its traffic was not as recorded.

Knows what came of the sessions, as their reports say; nothing of pytest.
"""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wiretape.analysis.printable import printable
from wiretape.core.miss import RECORD_THE_REST
from wiretape.core.model import Mode
from wiretape.server.report import asking, missing_why, never_used

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wiretape.server.serve import Summary

_LISTED = 10
_UNREACHED = """\
wiretape: no request reached the proxy: is the client made at import, before its base URL is set?
  make it in the test or in a fixture, and give it no base URL of its own
  if the test is to ask nothing: allow_no_requests=True in the wiretape mark, or\
 wiretape_allow_no_requests = true in the ini file"""
_MARKED = frozenset({"--match", "--ignore", "--repeat", "--max-body"})
# What stands in a report of a session to which a request came.
_SIGNS = ("in_flight", "recorded", "error", "used", "used_before", "misses", "missed_before")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a test's traffic, as paragraphs; empty where all is well.

    Attributes:
        broken: recordings that could not be made or finished.
        missed: requests that no recording answered.
        unreached: that no request came at all; then `unused` would only say so again.
        unused: recordings that no request asked for.
    """

    broken: tuple[str, ...]
    missed: tuple[str, ...]
    unreached: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join((*self.broken, *self.missed, *self.unreached, *self.unused))


def verdict(
    summary: Summary,
    *,
    record_command: str,
    allow_unused: bool,
    allow_no_requests: bool,
    seen_from: Path,
) -> Verdict:
    """Judge what came of a test's sessions, in words for a terminal.

    Args:
        summary: of the application that served the test.
        record_command: what records the test's cassette again.
        allow_unused: say nothing of recordings that were not used.
        allow_no_requests: say nothing of it if no request came.
        seen_from: the folder that paths are told from.
    """
    reports = summary.reports
    replays = [report for report in reports if report["mode"] == Mode.REPLAY.value]
    reached = summary.refused or summary.errors or any(map(_reached, reports))
    unreached = not reached and not allow_no_requests
    return Verdict(
        _printable(f"wiretape: {text}" for text in summary.errors),
        _printable(
            (
                *(f"wiretape: {text}" for text in summary.refused),
                *(
                    _missed(each, _holder(each, seen_from))
                    for each in reports
                    if each["misses"] or each["missed_before"]
                ),
            )
        ),
        (_UNREACHED,) if unreached else (),
        _printable(
            _unused(unused, _holder(each, seen_from), record_command)
            for each in replays
            if not (allow_unused or unreached) and (unused := never_used(each))
        ),
    )


def _printable(texts: Iterable[str]) -> tuple[str, ...]:
    """What a cassette holds must not control the terminal."""
    return tuple(map(printable, texts))


def kept(written: Iterable[Path], replace_command: str, seen_from: Path) -> tuple[str, ...]:
    """What a test that failed is told of the cassettes that it has recorded once and for all.

    Args:
        written: the cassettes.
        replace_command: what records them anew.
        seen_from: the folder that paths are told from.
    """
    return tuple(
        f"wiretape: {_seen(path, seen_from)} has what was asked until the test failed, and is"
        f" replayed from now on; record it whole with: {replace_command}"
        for path in written
    )


def _reached(report: Mapping[str, Any]) -> bool:
    return any(report[sign] for sign in _SIGNS)


def _missed(report: Mapping[str, Any], holder: str) -> str:
    lines = [f"wiretape: the test asked for what {holder} does not hold:"]
    times = Counter(miss["text"] for miss in report["misses"])
    for text in _some(times):
        lines += (f"  {line}" for line in text.splitlines())
        lines += [f"  ({times[text]} times)"] if times[text] > 1 else []
    lines += _more(len(times))
    if report["missed_before"]:
        lines.append(f"  {report['missed_before']} missed before it was rewound")
    for stall in report["stalls"][:_LISTED]:
        waiting, missing = _asked(stall["waiting"]), _asked(stall["missing"])
        lines.append(
            f"  {waiting} waited {stall['waited_s']:.1f} s for {missing}, {missing_why(stall)}"
        )
    return "\n".join(lines)


def _unused(unused: Sequence[Mapping[str, Any]], holder: str, record_command: str) -> str:
    some = "1 recording" if len(unused) == 1 else f"{len(unused)} recordings"
    help_text = (
        "  if that is meant: allow_unused=True in the wiretape mark, or"
        f" wiretape_allow_unused = true in the ini file; else record again: {record_command}"
    )
    return "\n".join(
        [
            f"wiretape: the test did not ask for {some} in {holder}:",
            *(f"  {_asked(each)}{asking(each)}" for each in _some(unused)),
            *_more(len(unused)),
            help_text,
        ]
    )


def as_mark(suggestion: str) -> str:
    """What a miss suggests for the command line, as the mark's arguments; else what it says.

    pytest has an `--ignore` of its own, and a flag for the mode.
    """
    if suggestion == RECORD_THE_REST:  # for once, where a mark would stay
        return f"--wiretape-mode={Mode.NEW_EPISODES.value}"
    words = shlex.split(suggestion)
    flags = list(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or any(flag not in _MARKED for flag, _ in flags):
        return suggestion.replace("--redact", "redact=[...] in the mark")
    named = [(flag[2:].replace("-", "_"), value) for flag, value in flags if flag != "--ignore"]
    arguments = [f'{name}="{value}"' for name, value in named]
    ignored = [value for flag, value in flags if flag == "--ignore"]
    arguments += [f"ignore={ignored!r}"] if ignored else []
    return f"@pytest.mark.wiretape({', '.join(arguments)})"


def _holder(report: Mapping[str, Any], seen_from: Path) -> str:
    if report["cassette"] is None:
        return "the cassettes"
    return _seen(Path(report["cassette"]), seen_from)


def _seen(path: Path, seen_from: Path) -> str:
    return str(path.relative_to(seen_from) if path.is_relative_to(seen_from) else path)


def _asked(each: Mapping[str, Any]) -> str:
    return f"#{each['interaction']} {each['method']} {each['target']}"


def _some(items: Iterable[Any]) -> Iterator[Any]:
    return (item for item, _ in zip(items, range(_LISTED), strict=False))


def _more(count: int) -> list[str]:
    return [f"  and {count - _LISTED} more"] if count > _LISTED else []
