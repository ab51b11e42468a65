"""What a test wants of the proxy: its marks, the command line, the environment, the set-up files.

Knows where wishes come from and what they may be; starts nothing.
"""

from __future__ import annotations

import difflib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wiretape.cassette.secrets import compile_pattern
from wiretape.core.addresses import parse_upstream
from wiretape.core.matching import Level, Repeat, Rules
from wiretape.core.model import Mode
from wiretape.core.pointer import parse_pointer
from wiretape.core.routing import check_cassette_name
from wiretape.core.sizes import parse_size
from wiretape.core.tempo import Order, Speed, parse_seconds
from wiretape.errors import UsageError
from wiretape.server.settings import MAX_BODY_BYTES
from wiretape.variables import parse_flag, values_in, variable

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable, Mapping, Sequence

    from wiretape.pyproject import Config

_SEEDS = 1_000_000
# What wiretape's commands call it.
_SHARED = {
    "match": "match",
    "ignore": "ignore",
    "repeat": "repeat",
    "speed": "speed",
    "order": "order",
    "order_timeout": "order-timeout",
    "max_body": "max-body",
    "upstream": "upstream",
    "secret_headers": "secret-header",
    "redact": "redact",
    "keep_secrets": "keep-secrets",
}
_SEVERAL = frozenset({"ignore", "secret_headers", "redact"})
_MARK = "the wiretape mark"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is in force for one test.

    Attributes:
        name: the cassette's, if a mark gives one.
        mode: as wished; `once` is not resolved.
        pinned: a mark says the mode, so that no flag changes it.
        rules: how requests match.
        speed: how fast answers replay.
        order: in which order overlapping answers replay.
        order_timeout_s: how long the order may wait for a request that does not come.
        max_body_bytes: of request bodies over this only digests are kept and compared.
        upstream: base URL; None for the usual one.
        secret_headers: to redact besides the well-known ones, lower-case.
        redact: regular expressions of other secrets.
        keep_secrets: leave secrets of well-known shapes as they are.
        allow_unused: a recording that is not used is no failure.
        allow_no_requests: nor is it that nothing was asked of the proxy at all.
    """

    name: str | None
    mode: Mode
    pinned: bool
    rules: Rules
    speed: Speed
    order: Order
    order_timeout_s: float
    max_body_bytes: int
    upstream: str | None
    secret_headers: frozenset[str]
    redact: tuple[str, ...]
    keep_secrets: bool
    allow_unused: bool
    allow_no_requests: bool


def gather(
    marks: Sequence[tuple[Sequence[Any], Mapping[str, Any]]],
    others: Sequence[Mapping[str, tuple[str, Any]]],
) -> Wishes:
    """Put wishes together; the first place that has one wins.

    Args:
        marks: positional and keyword arguments of each wiretape mark, the closest first.
        others: other places, the strongest first: by the wish, where it stands and what it is.

    Raises:
        UsageError: one is unknown, or cannot be.
    """
    found: dict[str, tuple[str, Any]] = {}
    for place in reversed([*map(_marked, marks), *others]):
        found |= place

    def wish(name: str) -> Any:
        place, value = found.get(name, ("", _DEFAULTS[name]))
        try:
            return _PARSERS[name](value)
        except UsageError as error:
            raise UsageError(f"{place}: {error}") from None

    return Wishes(
        name=wish("name"),
        mode=wish("mode"),
        pinned=found.get("mode", ("",))[0] == _MARK,
        rules=Rules(level=wish("match"), ignore=wish("ignore"), repeat=wish("repeat")),
        speed=wish("speed"),
        order=wish("order"),
        order_timeout_s=wish("order_timeout"),
        max_body_bytes=wish("max_body"),
        upstream=wish("upstream"),
        secret_headers=wish("secret_headers"),
        redact=wish("redact"),
        keep_secrets=wish("keep_secrets"),
        allow_unused=wish("allow_unused"),
        allow_no_requests=wish("allow_no_requests"),
    )


def of_commands(environ: Mapping[str, str], config: Config) -> list[dict[str, tuple[str, Any]]]:
    """What wiretape's commands are told too, as other places for `gather`.

    Not the mode of `[tool.wiretape]`, nor where cassettes are: tests have theirs.

    Args:
        environ: of the process.
        config: what a pyproject.toml says.
    """
    variables: dict[str, tuple[str, Any]] = {}
    for name, setting in {**_SHARED, "mode": "mode"}.items():
        text = environ.get(variable(setting))
        if text:  # an empty one says nothing to the commands either
            value = values_in(setting, text) if name in _SEVERAL else text
            variables[name] = (variable(setting), value)
    place = f"[tool.wiretape] in {config.path}"
    values = config.values
    return [
        variables,
        {name: (place, values[setting]) for name, setting in _SHARED.items() if setting in values},
    ]


def _marked(mark: tuple[Sequence[Any], Mapping[str, Any]]) -> dict[str, tuple[str, Any]]:
    positional, named = mark
    if len(positional) > 1:
        raise UsageError(f"{_MARK} takes one name, not {len(positional)}")
    if positional and "name" in named:
        raise UsageError(f"{_MARK} has two names")
    for name in named:
        if name not in _PARSERS:
            close = difflib.get_close_matches(name, _PARSERS, 1)
            known = f"did you mean {close[0]}?" if close else f"it takes {', '.join(_PARSERS)}"
            raise UsageError(f"{_MARK} does not know {name!r}: {known}")
    wishes = {**dict(zip(["name"], positional, strict=False)), **named}
    return {name: (_MARK, value) for name, value in wishes.items() if value is not None}


def _cassette_name(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise UsageError(f"a cassette's name is text, not {value!r}")
    return check_cassette_name(value)


def _one_of(kind: type[enum.Enum]) -> Callable[[Any], Any]:
    def parse(value: Any) -> Any:
        values = [member.value for member in kind]
        text = getattr(value, "value", value)
        if text not in values:
            raise UsageError(f"{text!r} is none of {', '.join(values)}")
        return kind(text)

    return parse


def _texts(value: Any) -> tuple[str, ...]:
    texts = (value,) if not isinstance(value, list | tuple | set | frozenset) else tuple(value)
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{value!r} is no text and no list of texts")
    return texts


def _flag(value: Any) -> bool:
    return value if isinstance(value, bool) else parse_flag(str(value))


def _patterns(value: Any) -> tuple[str, ...]:
    texts = _texts(value)
    for text in texts:
        compile_pattern(text)
    return texts


def _order(value: Any) -> Order:
    if isinstance(value, Order):
        return value
    return Order.parse(str(value), drawn_seed=random.SystemRandom().randrange(_SEEDS))


_DEFAULTS: dict[str, Any] = {
    "name": None,
    "mode": Mode.REPLAY,
    "match": Level.TOOL_ORDER,
    "ignore": (),
    "repeat": Repeat.NONE,
    "speed": Speed(None),
    "order": Order("recorded"),
    "order_timeout": 2.0,
    "max_body": MAX_BODY_BYTES,
    "upstream": None,
    "secret_headers": (),
    "redact": (),
    "keep_secrets": False,
    "allow_unused": False,
    "allow_no_requests": False,
}
_PARSERS: dict[str, Callable[[Any], Any]] = {
    "name": _cassette_name,
    "mode": _one_of(Mode),
    "match": _one_of(Level),
    "ignore": lambda value: tuple(map(parse_pointer, _texts(value))),
    "repeat": _one_of(Repeat),
    "speed": lambda value: value if isinstance(value, Speed) else Speed.parse(str(value)),
    "order": _order,
    "order_timeout": lambda value: parse_seconds(str(value)),
    "max_body": lambda value: parse_size(str(value)),
    "upstream": lambda value: None if value is None else parse_upstream(str(value)),
    "secret_headers": lambda value: frozenset(text.lower() for text in _texts(value)),
    "redact": _patterns,
    "keep_secrets": _flag,
    "allow_unused": _flag,
    "allow_no_requests": _flag,
}
