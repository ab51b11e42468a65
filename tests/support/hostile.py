"""Cassettes made to harm whoever opens them, as text by name."""

from __future__ import annotations

MOMENT = "2026-11-22T10:31:02Z"
HEAD = f"wiretape: 1\nrecorded: {MOMENT}\nupstream: http://h\nentries:\n"
REQUEST = "- {request: 1, at: 0, method: GET, target: /}\n"
RESPONSE = "- {response: 1, at: 0, status: 200, headers: {}}\n"
END = "- {end: 1, at: 1, outcome: complete}\n"


def _json(text: str) -> str:
    return f"{HEAD}- {{request: 1, at: 0, method: GET, target: /, json: {text}}}\n{END}"


def _chunk(form: str) -> str:
    return f"{HEAD}{REQUEST}{RESPONSE}- {{chunk: 1, at: 0, {form}}}\n{END}"


def _laughs() -> str:
    lines = ["a: &l0 [x, x, x, x, x, x, x, x, x]\n"]
    for level in range(1, 12):
        inner = ", ".join([f"*l{level - 1}"] * 9)
        lines.append(f"b{level}: &l{level} [{inner}]\n")
    return "".join(lines)


REFUSED: dict[str, str] = {
    "a billion laughs": _laughs() + HEAD,
    "laughs in an entry": _json("&a {b: [*a, *a]}"),
    "an anchor on an entry": f"{HEAD}- &a {{request: 1, at: 0, method: GET, target: /}}\n",
    "many anchors": f"{HEAD}{'&' * 200_000}\n",
    "deep lists": f"{HEAD}- {'[' * 200_000}{']' * 200_000}\n",
    "deep mappings": f"{HEAD}- {'{a: ' * 100_000}{'}' * 100_000}\n",
    "deep blocks": HEAD + "".join(f"{' ' * depth}-\n" for depth in range(2000)),
    "deep keys": f"{HEAD}- {'? ' * 20_000}\n",
    "deep JSON": _json("[" * 50_000 + "]" * 50_000),
    "deep JSON without end": _json("[" * 200_000),
    "a huge key": f"{HEAD}- {{{'a' * (4 << 20)}: 1}}\n",
    "a huge number": f"{HEAD}- {{request: {'9' * 1_000_000}, at: 0, method: GET, target: /}}\n",
    "a huge number in JSON": _json("9" * 1_000_000),
    "a number in base 60 of any length": _json("1" + ":59" * 100_000),
    "a huge exponent": f"{HEAD}- {{request: 1, at: 1e999999999, method: GET, target: /}}\n",
    "a time that never comes": f"{HEAD}- {{request: 1, at: .inf, method: GET, target: /}}\n",
    "a time that is none": f"{HEAD}- {{request: 1, at: .nan, method: GET, target: /}}\n",
    "a time before time": f"{HEAD}- {{request: 1, at: -5, method: GET, target: /}}\n",
    "a moment beyond the calendar": HEAD.replace(MOMENT, "9999-12-31T23:59:59-23:59") + REQUEST,
    "no moment": HEAD.replace(MOMENT, "0000-00-00") + REQUEST,
    "a huge version": HEAD.replace("wiretape: 1", "wiretape: " + "9" * 100_000),
    "a key twice": HEAD + REQUEST.replace("at: 0,", "at: 0, at: 1,") + END,
    "a header twice": HEAD + REQUEST.replace("}", ", headers: {a: b, a: c}}"),
    "a merge key": f"{HEAD}- {{<<: {{request: 1}}, at: 0}}\n",
    "NUL": _chunk("text: 'a\0b'"),
    "an escape character": _chunk("text: 'a\x1bb'"),
    "half a surrogate pair": _chunk('text: "\\ud800"'),
    "a Python object": f"{HEAD}- !!python/object/apply:os.system [id]\n",
    "a Python object as a whole": "!!python/object:x {}\n",
    "a tag of its own": f"%TAG ! tag:evil,2000:\n---\n{HEAD}- !x {{}}\n",
    "another YAML": f"%YAML 9.9\n---\n{HEAD}{REQUEST}{END}",
    "two documents": f"{HEAD}{REQUEST}{END}---\n{HEAD}",
    "quotes without end": _chunk("sse: " + "'" * 500_001),
    "base64 that is none": _chunk("base64: '!!!!'"),
    "colons": f"{HEAD}{': ' * 100_000}\n",
    "nothing": "",
    "null": "null\n",
    "a list": "- 1\n",
    "a word": "x\n",
}  # fmt: skip

ODD: dict[str, str] = {
    # They are cassettes all the same; whoever reads them must bear it.
    "a long target": HEAD + REQUEST.replace("/", "/" + "a" * (1 << 20)) + END,
    "a time beyond the calendar": HEAD + REQUEST.replace("at: 0", "at: 999999999999") + END,
    "many requests": HEAD
    + "".join(f"- {{request: {n}, at: 0, method: GET, target: /}}\n" for n in range(1, 5_001)),
    "many headers": f"{HEAD}- {{request: 1, at: 0, method: GET, target: /, headers: {{"
    + ", ".join(f"a{n}: b" for n in range(20_000))
    + f"}}}}\n{END}",
    "many events in a chunk": _chunk("sse: [" + ", ".join(["'{}'"] * 50_000) + "]"),
    "many quotes in an event": _chunk("sse: ['" + "''" * 250_000 + "']"),
    "many escapes in an event": _chunk('sse: ["' + '\\"' * 250_000 + '"]'),
    "deep JSON in an event": _chunk(f"sse: '{'[' * 100_000}'"),
    "a number in base 60": _json("1" + ":59" * 100),
    "a whole answer that never began": HEAD + REQUEST + END,
    "many comments": HEAD + "# x\n" * 200_000 + REQUEST + END,
    "many empty lines": HEAD + "\n" * 500_000 + REQUEST + END,
    "two byte order marks": f"\ufeff{HEAD}{REQUEST}{END}",
}  # fmt: skip
