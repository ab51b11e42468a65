"""Commands that messages suggest, changed where they lack an option."""

from __future__ import annotations

import shlex

_RECORDS = (["wiretape", "record"], ["wiretape", "run"])


def with_option(command: str, flag: str, value: str) -> str:
    """A command of wiretape's that records, with the option set; any other stays as it is."""
    if not any(command.startswith(" ".join(words)) for words in _RECORDS):
        return command
    words = shlex.split(command)
    # Behind it comes what `wiretape run` runs, with options of its own.
    end = words.index("--") if "--" in words else len(words)
    given = iter(words[2:end])
    kept: list[str] = []
    for word in given:
        if word == flag:
            next(given, None)
        elif not word.startswith(f"{flag}="):
            kept.append(word)
    return shlex.join([*words[:2], flag, value, *kept, *words[end:]])
