"""The committed cassettes, of the first notes and of real engines, read and shown."""

from pathlib import Path

import pytest
from rich.console import Console

from wiretape.analysis.marks import MarkKind, marks_of
from wiretape.analysis.show_json import show_json
from wiretape.analysis.show_text import show_text
from wiretape.analysis.transcript import transcripts
from wiretape.cassette.loader import load
from wiretape.core.model import Outcome

ROOT = Path(__file__).parents[3] / "cassettes"
EVERY = sorted(ROOT.rglob("*.yaml"))
TOOLS = [
    ROOT / name
    for name in (
        "notes/parallel-tool-calls.yaml",
        "llamacpp/chat-tools.yaml",
        "ollama-0.6.5/chat-tools.yaml",
        "ollama-0.6.5/api-chat-tools.yaml",
        "ollama-0.24.0/chat-tools.yaml",
        "ollama-0.24.0/api-chat-tools.yaml",
    )
]


def named(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", TOOLS, ids=named)
def test_ls_then_ls_l_are_parallel_calls_and_the_second_refines_the_first(path):
    first = transcripts(load(path))[0]
    assert [(call.index, call.name, call.arguments) for call in first.tool_calls] == [
        (0, "run_command", {"command": "ls"}),
        (1, "run_command", {"command": "ls -l"}),
    ]
    assert first.main.finish == "tool_calls"
    assert [mark.kind for mark in marks_of(first)[:2]] == [
        MarkKind.PARALLEL_CALLS,
        MarkKind.REFINED_CALL,
    ]
    one, two = first.tool_calls
    assert first.interaction.request.at_us < one.start_us <= one.end_us < two.start_us


@pytest.mark.parametrize("path", EVERY, ids=named)
def test_every_committed_cassette_is_understood_and_can_be_shown(path):
    recorded = load(path)
    for read in transcripts(recorded):
        assert read.unknown == ()
        assert read.breaks == () or read.interaction.outcome is not Outcome.COMPLETE
        assert read.failures or read.content is not None or read.summary
    assert len(show_json(recorded)["interactions"]) == len(recorded.interactions())
    console = Console(width=80, color_system=None)
    for raw in (False, True):
        with console.capture() as captured:
            console.print(show_text(recorded, raw=raw))
        assert captured.get().count("\n#") == len(recorded.interactions())
