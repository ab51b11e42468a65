"""What holds for any recording and any clients, and agreement with a plain, slow scheduler."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wiretape.core.interleave import clusters, shuffled
from wiretape.core.lanes import Cluster, Lane
from wiretape.core.schedule import Order, Schedule, Speed, Track

US = 1000
TIMEOUT_NS = 40 * US
ORDERS = [Order("recorded"), Order("shuffle", 1), Order("shuffle", 2), Order("free")]


def overlap(one: Track, other: Track) -> bool:
    return one.request_position < other.end_position and other.request_position < one.end_position


@st.composite
def libraries(draw, *, metadata: bool = True) -> list[Track]:
    """Any interleaving of up to six interactions, on a clock that may stand still."""
    count = draw(st.integers(1, 6))
    requests: dict[int, tuple[int, int]] = {}
    steps: dict[int, list[tuple[int, int]]] = {}
    flying: list[int] = []
    at_us = 0
    position = draw(st.integers(0, 3))
    for move, wait_us in draw(
        st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), min_size=2, max_size=40)
    ):
        position += 1
        at_us += wait_us
        if len(requests) < count and (not flying or move < 3):
            key = len(requests)
            requests[key] = (position, at_us)
            steps[key] = []
            flying.append(key)
        elif flying:
            key = flying[move % len(flying)]
            steps[key].append((position, at_us))
            if move in (5, 9):
                flying.remove(key)
    return [
        Track(
            key=key,
            request_position=requests[key][0],
            request_at_us=requests[key][1],
            positions=[position for position, _ in steps[key]],
            ats_us=[at_us for _, at_us in steps[key]],
            end_position=steps[key][-1][0] if steps[key] else requests[key][0],
            ordered=not metadata or draw(st.integers(0, 9)) > 0,
        )
        for key in requests
    ]


@dataclass
class Plain:
    """One play of the plain scheduler."""

    track: Track
    places: list[int]
    base_ns: int = 0
    steps: int = 0
    ideals: list[int] = field(default_factory=list)
    freed_ns: int = -1
    arrived: bool = False
    paused: bool = False
    left: bool = False
    given_up: bool = False
    held_since_ns: int | None = None

    @property
    def over(self) -> bool:
        return self.left or self.steps == len(self.places)

    @property
    def place(self) -> int:
        return self.places[self.steps]


class PlainSchedule:
    """The rules word for word: every pair is looked at after every step."""

    def __init__(self, tracks: list[Track], order: Order, speed: Speed) -> None:
        self.scale = 0.0 if speed.factor is None else 1000 / speed.factor
        self.plays: dict[object, Plain] = {}
        self.stalls: list[tuple[object, object, int]] = []
        self.now_ns = -1
        placed = placements(tracks, order)
        for track in tracks:
            self.plays[track.key] = Plain(track, placed[track.key])
        self.free = order.kind == "free"

    def blockers(self, play: Plain) -> list[Plain]:
        if self.free or not play.track.ordered:
            return []
        return [
            other
            for other in self.plays.values()
            if other is not play
            and other.track.ordered
            and not other.over
            and not other.given_up
            and overlap(play.track, other.track)
            and other.place < play.place
        ]

    def ideal_ns(self, play: Plain) -> int:
        own_ns = play.base_ns + int(play.track.ats_us[play.steps] * self.scale)
        before = (
            []
            if self.free or not play.track.ordered
            else [
                ideal_ns
                for other in self.plays.values()
                if other is not play and other.track.ordered and overlap(play.track, other.track)
                for place, ideal_ns in zip(other.places, other.ideals, strict=False)
                if place < play.place
            ]
        )
        return max([own_ns, play.freed_ns, *play.ideals[-1:], *before])

    def refresh(self, freed_ns: int | None = None, were_blocked: list[Plain] | None = None) -> None:
        for play in self.plays.values():
            blockers = [] if play.over or not play.arrived else self.blockers(play)
            live = [other for other in blockers if other.arrived and not other.paused]
            if not blockers or live or play.paused:
                play.held_since_ns = None
            elif play.held_since_ns is None:
                play.held_since_ns = max(self.ideal_ns(play), self.now_ns)
            if freed_ns is not None and were_blocked and play in were_blocked and not blockers:
                play.freed_ns = max(play.freed_ns, freed_ns)

    def blocked(self) -> list[Plain]:
        return [
            play
            for play in self.plays.values()
            if play.arrived and not play.over and self.blockers(play)
        ]

    def arrive(self, key: object, now_ns: int) -> None:
        play = self.plays[key]
        self.now_ns = now_ns
        play.arrived = True
        play.given_up = False
        play.base_ns = now_ns - int(play.track.request_at_us * self.scale)
        play.freed_ns = now_ns
        self.refresh()

    def pause(self, key: object, _now_ns: int) -> None:
        self.plays[key].paused = True
        self.refresh()

    def resume(self, key: object, now_ns: int) -> None:
        self.now_ns = now_ns
        self.plays[key].paused = False
        self.refresh()

    def leave(self, key: object, now_ns: int) -> None:
        self.now_ns = now_ns
        blocked = self.blocked()
        self.plays[key].left = True
        self.refresh(now_ns, blocked)

    def ready(self) -> list[tuple[int, int, Plain]]:
        return [
            (self.ideal_ns(play), play.place, play)
            for play in self.plays.values()
            if play.arrived and not play.over and not play.paused and not self.blockers(play)
        ]

    def holds(self) -> list[tuple[int, Plain, Plain]]:
        """Until when who may hold whom."""
        held = []
        for play in self.plays.values():
            if play.held_since_ns is not None:
                for other in self.blockers(play):
                    since_ns = play.held_since_ns
                    if other.arrived:
                        since_ns = max(since_ns, self.ideal_ns(other))
                    held.append((since_ns + TIMEOUT_NS, play, other))
        return held

    def due(self, now_ns: int) -> list[tuple[object, int]]:
        self.now_ns = now_ns
        self.refresh()
        delivered: list[tuple[object, int]] = []
        while True:
            ready = min(self.ready(), key=lambda entry: entry[:2], default=None)
            holds = self.holds()
            deadline_ns = min((entry[0] for entry in holds), default=None)
            if ready and ready[0] <= now_ns and (deadline_ns is None or ready[0] <= deadline_ns):
                ideal_ns, _, play = ready
                own_ns = play.base_ns + int(play.track.ats_us[play.steps] * self.scale)
                play.base_ns += max(0, ideal_ns - own_ns)
                delivered.append((play.track.key, play.steps))
                play.steps += 1
                play.ideals.append(ideal_ns)
                play.given_up = False
                self.refresh()
            elif deadline_ns is not None and deadline_ns <= now_ns:
                blocked = self.blocked()
                first = min(entry[1].place for entry in holds if entry[0] == deadline_ns)
                absent_with: dict[object, Plain] = {}
                for until_ns, play, other in holds:
                    if until_ns == deadline_ns and play.place == first:
                        other.given_up = True
                        position = play.track.positions[play.steps]
                        self.stalls.append((play.track.key, other.track.key, position))
                        if not other.arrived:
                            absent_with[play.track.key] = play
                for play in absent_with.values():
                    self.give_up_all_before(play)
                self.refresh(deadline_ns, blocked)
            else:
                return delivered

    def give_up_all_before(self, play: Plain) -> None:
        """Whoever was recorded before this step has had as long to come."""
        position = play.track.positions[play.steps]
        for other in self.plays.values():
            if (
                not other.arrived
                and not other.over
                and not other.given_up
                and other.track.ordered
                and overlap(play.track, other.track)
                and other.track.request_position < position
            ):
                other.given_up = True
                self.stalls.append((play.track.key, other.track.key, position))

    def next_wake_ns(self) -> int | None:
        waits = [entry[0] for entry in self.ready()] + [entry[0] for entry in self.holds()]
        return min(waits, default=None)


def placements(tracks: list[Track], order: Order) -> dict[object, list[int]]:
    """The place of each step in the order that is to be kept."""
    placed = {track.key: list(track.positions) for track in tracks}
    if order.seed is not None:
        for group in clusters(tracks):
            for track, placement in zip(group, shuffled(group, order.seed), strict=True):
                placed[track.key] = list(placement.places)
    return placed


class Run:
    """A schedule driven by events, which notes what was delivered when."""

    def __init__(
        self, tracks: list[Track], order: Order, speed: Speed, tolerance_ns: int = 0
    ) -> None:
        self.schedule = Schedule(tracks, order, speed, TIMEOUT_NS, tolerance_ns)
        self.tracks = {track.key: track for track in tracks}
        self.plays: dict[object, int] = {}
        self.keys: dict[int, object] = {}
        self.paused: set[object] = set()
        self.left: set[object] = set()
        self.delivered: list[tuple[object, int]] = []
        self.now_ns = 0

    def arrive(self, key: object, now_ns: int) -> None:
        self.plays[key] = self.schedule.arrive(key, now_ns)
        self.keys[self.plays[key]] = key

    def pause(self, key: object, _now_ns: int) -> None:
        self.paused.add(key)
        self.schedule.pause(self.plays[key])

    def resume(self, key: object, now_ns: int) -> None:
        self.paused.discard(key)
        self.schedule.resume(self.plays[key], now_ns)

    def leave(self, key: object, now_ns: int) -> None:
        self.left.add(key)
        self.schedule.leave(self.plays[key], now_ns)

    def due(self) -> list[tuple[object, int]]:
        steps = [
            (self.keys[batch.play], step)
            for batch in self.schedule.due(self.now_ns)
            for step in range(batch.first_step, batch.first_step + batch.count)
        ]
        self.delivered += steps
        return steps

    def drain(self, most_wakes: int = 10_000) -> None:
        """Go on, from wake to wake, until the schedule asks for no more."""
        for _ in range(most_wakes):
            wake_ns = self.schedule.next_wake_ns()
            if wake_ns is None:
                return
            self.now_ns = max(self.now_ns, wake_ns)
            self.due()
        pytest.fail("it never ends")

    def steps_of(self, key: object) -> list[int]:
        return [step for whose, step in self.delivered if whose == key]


MOVES = st.sampled_from(["arrive", "arrive", "arrive", "leave", "pause", "resume", "wake", "wait"])


def scripts(
    moves: st.SearchStrategy[str] = MOVES,
) -> st.SearchStrategy[list[tuple[str, int, int, bool]]]:
    """Events as (what, whose, how much later in us, whether due() is called after it)."""
    return st.lists(
        st.tuples(moves, st.integers(0, 5), st.integers(0, 30), st.booleans()), max_size=40
    )


def act(run: Run, move: str, who: int, *others: PlainSchedule) -> None:
    """One event, for one of those for whom it makes sense now."""
    here = [key for key in run.plays if key not in run.left]
    those = {
        "arrive": [key for key in run.tracks if key not in run.plays],
        "leave": here,
        "pause": [key for key in here if key not in run.paused],
        "resume": [key for key in here if key in run.paused],
    }.get(move, [])
    if move == "wake":
        run.now_ns = max(run.now_ns, run.schedule.next_wake_ns() or 0)
    if those:
        for schedule in (run, *others):
            getattr(schedule, move)(those[who % len(those)], run.now_ns)


def perform(run: Run, script) -> None:
    """Do what a script says, in its times."""
    for move, who, later_us, due in script:
        run.now_ns += later_us * US
        act(run, move, who)
        if due:
            run.due()


def assert_streams_in_step(run: Run) -> None:
    """Each stream's steps went out in their own order, and all of them where somebody reads."""
    for key in run.plays:
        steps = run.steps_of(key)
        assert steps == list(range(len(steps)))
        if key not in run.left and key not in run.paused:
            assert len(steps) == len(run.tracks[key].positions)


def assert_order_kept_but_for_missing(run: Run, tracks: list[Track], order: Order) -> None:
    """No step went out before one that it had to wait for, unless the report names that stream."""
    places = placements(tracks, order)
    missing = {stall.missing for stall in run.schedule.stalls()}
    for index, (key, step) in enumerate(run.delivered):
        for other, other_step in run.delivered[index:]:
            if other not in missing and must_wait(run.tracks[key], run.tracks[other]):
                assert places[key][step] < places[other][other_step] or key == other


def not_past(wake_ns: int | None, now_ns: int) -> int | None:
    return None if wake_ns is None else max(wake_ns, now_ns)


def agree(
    tracks: list[Track], order: Order, speed: Speed, script: list[tuple[str, int, int, bool]]
) -> None:
    """Drive both schedulers and compare them after every event."""
    run = Run(tracks, order, speed)
    plain = PlainSchedule(tracks, order, speed)
    for move, who, later_us, due in [*script, *[("wake", 0, 0, True)] * 20]:
        run.now_ns += later_us * US
        act(run, move, who, plain)
        if due:
            assert sorted(run.due()) == sorted(plain.due(run.now_ns))
        assert not_past(run.schedule.next_wake_ns(), run.now_ns) == not_past(
            plain.next_wake_ns(), run.now_ns
        )
    stalls = [(stall.waiting, stall.missing, stall.position) for stall in run.schedule.stalls()]
    assert sorted(stalls) == sorted(plain.stalls)


@settings(max_examples=400)
@given(libraries(), st.sampled_from(ORDERS), scripts())
def test_it_does_what_the_plain_scheduler_does_at_once(tracks, order, script):
    agree(tracks, order, Speed(None), script)


@settings(max_examples=400)
@given(
    libraries(),
    st.sampled_from(ORDERS),
    st.sampled_from([Speed(1.0), Speed(2.0)]),
    scripts(st.sampled_from(["arrive", "arrive", "leave", "wake", "wait"])),
)
def test_it_does_what_the_plain_scheduler_does_at_the_recorded_pace(tracks, order, speed, script):
    agree(tracks, order, speed, script)


@settings(max_examples=300)
@given(libraries(), st.sampled_from(ORDERS), st.sampled_from([Speed(None), Speed(1.0)]), scripts())
def test_every_client_that_reads_gets_all_of_its_steps_in_order_and_in_bounded_time(
    tracks, order, speed, script
):
    run = Run(tracks, order, speed)
    perform(run, script)
    started_ns = run.now_ns
    run.drain()
    assert_streams_in_step(run)
    # Each track can be given up once for not coming and once for not reading, each time after
    # a timeout; and each can make the others wait for the whole of its own length.
    lengths_ns = sum(max([0, *track.ats_us]) for track in tracks) * US
    assert run.now_ns <= started_ns + 2 * len(tracks) * TIMEOUT_NS + lengths_ns


@settings(max_examples=300)
@given(libraries(), st.sampled_from(ORDERS), st.sampled_from([Speed(None), Speed(1.0)]), scripts())
def test_order_is_only_broken_for_whoever_the_report_names(tracks, order, speed, script):
    if order.kind == "free":
        order = Order("recorded")
    run = Run(tracks, order, speed)
    perform(run, script)
    run.drain()
    assert_order_kept_but_for_missing(run, tracks, order)


def must_wait(one: Track, other: Track) -> bool:
    return one.ordered and other.ordered and overlap(one, other)


@settings(max_examples=300)
@given(
    libraries(),
    st.sampled_from(ORDERS),
    st.sampled_from([Speed(None), Speed(1.0)]),
    st.data(),
)
def test_if_all_come_in_time_nothing_stalls_and_the_order_holds(tracks, order, speed, data):
    run = Run(tracks, order, speed)
    spare_us = TIMEOUT_NS // US - 1
    for key in data.draw(st.permutations(range(len(tracks)))):
        later_us = data.draw(st.integers(0, spare_us))
        spare_us -= later_us
        run.now_ns += later_us * US
        run.arrive(key, run.now_ns)
        if data.draw(st.booleans()):
            run.due()
    run.drain()
    assert not run.schedule.stalls()
    assert len(run.delivered) == sum(len(track.positions) for track in tracks)
    places = placements(tracks, order)
    for (key, step), (other, other_step) in combinations(run.delivered, 2):
        if key == other:
            assert step < other_step
        elif order.kind != "free" and must_wait(run.tracks[key], run.tracks[other]):
            assert places[key][step] < places[other][other_step]


@settings(max_examples=300)
@given(
    libraries(),
    st.sampled_from([Order("recorded"), Order("free")]),
    st.sampled_from([0.5, 1.0, 4.0]),
    st.lists(st.integers(1, 60), max_size=30),
)
def test_at_recorded_offsets_every_step_is_due_at_its_own_however_late_the_caller(
    tracks, order, factor, sleeps_us
):
    def offset_ns(at_us: int) -> int:
        return int(at_us * US / factor)

    run = Run(tracks, order, Speed(factor))
    coming = [(offset_ns(track.request_at_us), track.key) for track in tracks]
    wanted = sorted(offset_ns(at_us) for track in tracks for at_us in track.ats_us)
    for sleep_us in [*sleeps_us, 10_000]:
        wakes_ns = run.now_ns + sleep_us * US
        while coming and coming[0][0] <= wakes_ns:
            run.now_ns, key = coming.pop(0)
            run.arrive(key, run.now_ns)
        run.now_ns = wakes_ns
        run.due()
        assert len(run.delivered) == sum(due_ns <= wakes_ns for due_ns in wanted)
        if not coming:
            assert run.schedule.next_wake_ns() == min(
                (due_ns for due_ns in wanted if due_ns > wakes_ns), default=None
            )
    assert not run.schedule.stalls()


@settings(max_examples=400)
@given(
    libraries(metadata=False),
    st.sampled_from([0.5, 1.0, 4.0]),
    st.integers(0, 30),
    st.data(),
)
def test_requests_late_by_a_little_keep_the_clock_and_hold_nobody_up_for_longer(
    tracks, factor, tolerance_us, data
):
    tolerance_ns = tolerance_us * US
    run = Run(tracks, Order("recorded"), Speed(factor), tolerance_ns)
    came_ns = {
        track.key: int(track.request_at_us * US / factor)
        + data.draw(st.integers(0, tolerance_us)) * US
        for track in tracks
    }
    done = {}
    last_came_ns = max(came_ns.values())
    for key, at_ns in [*sorted(came_ns.items(), key=lambda item: item[1]), (None, 10**12)]:
        while (wake_ns := run.schedule.next_wake_ns()) is not None and wake_ns <= at_ns:
            run.now_ns = max(run.now_ns, wake_ns)
            done |= dict.fromkeys(run.due(), run.now_ns)
        if key is not None:
            run.now_ns = max(run.now_ns, at_ns)
            run.arrive(key, run.now_ns)
            done |= dict.fromkeys(run.due(), run.now_ns)
    assert not run.schedule.stalls()
    late_ns = {
        track.key: came_ns[track.key] - int(track.request_at_us * US / factor) for track in tracks
    }
    for track in tracks:
        flock = [other for group in clusters(tracks) if track in group for other in group]
        clock_ns = min(late_ns[each.key] for each in flock or [track])
        for step, at_us in enumerate(track.ats_us):
            due_ns = int(at_us * US / factor)
            error_ns = done[track.key, step] - due_ns - late_ns[track.key]
            assert abs(error_ns) <= tolerance_ns + 1
            if due_ns > last_came_ns:  # all is known of the clock by now
                assert abs(done[track.key, step] - due_ns - clock_ns) <= 1


@settings(max_examples=300)
@given(libraries(), st.sampled_from(ORDERS), st.integers(1, 60), scripts())
def test_a_tolerant_clock_breaks_no_order_and_never_ends_in_a_deadlock(
    tracks, order, tolerance_us, script
):
    run = Run(tracks, order, Speed(1.0), tolerance_us * US)
    perform(run, script)
    run.drain()
    assert_streams_in_step(run)
    if order.kind != "free":
        assert_order_kept_but_for_missing(run, tracks, order)


@settings(max_examples=100)
@given(libraries(), st.integers(0, 2**64), scripts())
def test_the_same_seed_and_arrivals_give_the_same_deliveries(tracks, seed, script):
    def deliveries() -> list[tuple[object, int]]:
        run = Run(tracks, Order("shuffle", seed), Speed(None))
        perform(run, script)
        run.drain()
        return run.delivered

    assert deliveries() == deliveries()


@pytest.mark.parametrize("backwards", [False, True])
def test_work_per_step_does_not_grow_with_the_number_of_streams(monkeypatch, backwards):
    looks = 0
    look = Cluster.in_the_way
    live = Lane.live.fget

    def counting_look(self, lane):
        nonlocal looks
        looks += 1
        return look(self, lane)

    def counting_live(self):
        nonlocal looks
        looks += 1
        return live(self)

    monkeypatch.setattr(Cluster, "in_the_way", counting_look)
    monkeypatch.setattr(Lane, "live", property(counting_live))

    def per_step(streams: int) -> float:
        nonlocal looks
        tracks = [
            Track(
                key=index,
                request_position=index,
                request_at_us=index,
                positions=range(streams + index, 10 * streams, streams),
                ats_us=range(streams + index, 10 * streams, streams),
                end_position=9 * streams + index,
            )
            for index in range(streams)
        ]
        run = Run(tracks, Order("recorded"), Speed(None))
        for index in range(streams)[:: -1 if backwards else 1]:
            run.arrive(index, run.now_ns)
        looks = 0
        run.due()
        assert len(run.delivered) == 9 * streams
        return looks / len(run.delivered)

    assert per_step(200) <= per_step(10) + 0.5
