"""How far the limit of open files is raised."""

from __future__ import annotations

import resource

import pytest

from wiretape.server.descriptors import allow_many

NONE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (256, 4096, [(4096, 4096)]),
        (256, NONE, [(65_536, NONE)]),
        (1024, 1_000_000_000, [(65_536, 1_000_000_000)]),
        (4096, 4096, []),
        (100_000, 1_000_000, []),
        (NONE, NONE, []),
    ],
)
def test_the_soft_limit_is_raised_to_the_hard_one_within_reason(
    soft: int, hard: int, raised: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
):
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    allow_many()
    assert given == raised


def test_a_system_that_refuses_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, NONE))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    allow_many()
