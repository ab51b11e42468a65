import shlex

import pytest

from wiretape.cli import running
from wiretape.cli.running import _Call, _status
from wiretape.server.serve import Summary


def summary(
    *, misses: int = 0, unused: int = 0, errors: tuple[str, ...] = (), refused: tuple[str, ...] = ()
) -> Summary:
    report = {
        "session": "(default)",
        "recorded": 0,
        "error": None,
        "interactions": 0,
        "used": [],
        "unused": [],
        "misses": [{}] * misses,
        "missed_before": 0,
        "misses_left_out": 0,
        "used_before": [],
        "stalls": [],
        "divergences": [],
        "divergences_left_out": 0,
    }
    return Summary((report,), (), errors, refused, bool(misses or unused or refused))


@pytest.mark.parametrize(
    ("own", "misses", "unused", "strict", "status"),
    [
        (0, 0, 0, True, 0),
        (0, 1, 0, True, 3),  # the command swallowed the error
        (1, 1, 0, True, 3),  # a miss is most often why a command fails
        (0, 0, 1, True, 3),
        (1, 0, 1, True, 3),
        (0, 1, 1, False, 0),
        (1, 1, 1, False, 1),
    ],
)
def test_the_status_of_the_whole(
    monkeypatch: pytest.MonkeyPatch,
    *,
    own: int,
    misses: int,
    unused: int,
    strict: bool,
    status: int,
):
    monkeypatch.setattr(running, "sum_up", lambda _summary, failed: failed)

    assert _status(own, summary(misses=misses, unused=unused), strict=strict) == status


def test_a_cassette_that_is_not_there_counts_as_a_miss():
    refused = summary(refused=("other.yaml: no such cassette",))

    assert _status(1, refused, strict=True) == 3
    assert _status(0, refused, strict=False) == 0


@pytest.mark.parametrize(("own", "status"), [(0, 1), (5, 5)])
def test_a_recording_that_could_not_be_finished_is_a_failure(own: int, status: int):
    assert _status(own, summary(errors=("no space",)), strict=False) == status


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--mode replay --shuffle 3", "--mode replay --order shuffle:2"),
        ("--shuffle=3 --mode=replay", "--mode=replay --order shuffle:2"),
        ("--order shuffle:7 --shuffle 3 --strict", "--order shuffle:2 --strict"),
        ("--ignore '/a b' --order=shuffle", "--ignore '/a b' --order shuffle:2"),
        (
            "--cassette order --strict --mode replay --shuffle 3",
            "--cassette order --strict --mode replay --order shuffle:2",
        ),
        ("--cassette shuffle --dir mode", "--cassette shuffle --dir mode --order shuffle:2"),
        ("--cassette --order --order=free", "--cassette --order --order shuffle:2"),
        ("--order free --shuffle 2 --strict --order shuffle", "--order shuffle:2 --strict"),
        ("--shuffle 2 --cassette", "--cassette -- --order shuffle:2"),
    ],
)
def test_a_call_can_be_told_with_other_options(options: str, expected: str):
    call = _Call(tuple(shlex.split(options)), ("sh", "-c", "a | b"))

    told = call.with_options(shuffle=None, order="shuffle:2")

    assert told == f"wiretape run {expected} -- sh -c 'a | b'"
