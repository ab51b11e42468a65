"""Made-up secrets of every shape, as they stand in text. None of them opens anything."""

from __future__ import annotations

import json


def _random_looking(length: int, salt: int) -> str:
    letters = "aB3dE5gH1jK2mN4pQ6rS8tU0vW7xY9zC"
    return "".join(letters[(index * 7 + salt * 5 + index // 9) % 32] for index in range(length))


def _hexadecimal(length: int, salt: int) -> str:
    return "".join(
        "0123456789abcdef"[(index * 7 + salt * 3 + index // 5) % 16] for index in range(length)
    )


def _key_lines(count: int, salt: int) -> str:
    return "\n".join(_random_looking(64, salt + line) for line in range(count))


def _private_key(title: str, salt: int) -> str:
    dashes = "-----"  # kept apart, so that no scanner takes this file for a leak
    title = f"{title}PRIVATE KEY"
    return f"{dashes}BEGIN {title}{dashes}\n{_key_lines(6, salt)}\n{dashes}END {title}{dashes}"


_JWT_HEAD = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

PLANTED: dict[str, tuple[str, str]] = {
    # name: (how it stands in text, the part of it that is secret)
    name: (before + secret + after, secret)
    for name, before, secret, after in (
        ("openai", "sk-", _random_looking(48, 1), ""),
        ("openai project", "sk-proj-", _random_looking(120, 2), ""),
        ("anthropic", "sk-ant-", "api03-" + _random_looking(90, 3), ""),
        ("google", "AIza", _random_looking(35, 4), ""),
        ("google oauth", "ya29.", _random_looking(60, 5), ""),
        ("aws", "AKIA", "Q3EGRWZLXN5P2TCY", ""),
        ("aws session", "ASIA", "J2MVUB7KD4OQ6HFA", ""),
        ("github", "ghp_", _random_looking(36, 6), ""),
        ("github fine-grained", "github_pat_", _random_looking(82, 7), ""),
        ("gitlab", "glpat-", _random_looking(20, 8), ""),
        ("slack", "xoxb-", "17653672481-" + _random_looking(24, 9), ""),
        ("huggingface", "hf_", _random_looking(34, 10), ""),
        ("groq", "gsk_", _random_looking(52, 11), ""),
        ("stripe", "sk_live_", _random_looking(24, 12), ""),
        ("npm", "npm_", _random_looking(36, 13), ""),
        ("perplexity", "pplx-", _random_looking(48, 23), ""),
        ("replicate", "r8_", _random_looking(37, 24), ""),
        ("fireworks", "fw_", _random_looking(24, 25), ""),
        ("nvidia", "nvapi-", _random_looking(30, 26) + "-_" + _random_looking(32, 27), ""),
        ("cerebras", "csk-", _random_looking(48, 28).lower(), ""),
        ("tavily", "tvly-", "dev-" + _random_looking(32, 29), ""),
        ("langsmith", "lsv2_pt_", _hexadecimal(32, 30) + "_" + _hexadecimal(10, 31), ""),
        ("pinecone", "pcsk_", _random_looking(6, 32) + "_" + _random_looking(63, 33), ""),
        ("jina", "jina_", _hexadecimal(32, 34) + _random_looking(28, 35), ""),
        ("bearer", "Bearer ", _random_looking(32, 14), ""),
        ("basic", "Authorization: Basic ", _random_looking(24, 15) + "==", ""),
        (
            "jwt",
            "eyJ",
            _JWT_HEAD[3:] + ".eyJ" + _random_looking(60, 16) + "." + _random_looking(43, 17),
            "",
        ),
        ("rsa key", "", _private_key("RSA ", 18), ""),
        ("openssh key", "", _private_key("OPENSSH ", 19), ""),
        ("password in a URL", "postgres://admin:", _random_looking(14, 20), "@db.example/prod"),
        ("api key in a query", "https://api.example/v1?a=1&api_key=", _random_looking(24, 21), ""),
        (
            "subscription key in a query",
            "https://api.example/v1?subscription-key=",
            _hexadecimal(32, 36),
            "",
        ),
        (
            "token in a query",
            "https://api.example/cb?access_token=",
            _random_looking(24, 22),
            "&x=1",
        ),
    )
}


def grep(secret: str, content: bytes) -> bool:
    """Whether a secret, or as much of it as one could use, stands in what was written."""
    if "PRIVATE KEY" in secret:
        return any(line.encode() in content for line in secret.split("\n")[1:-1])
    return secret.encode() in content or secret[len(secret) // 3 :].encode() in content


def escaping(characters: str, *, in_hex: bool = True):
    """A function that writes JSON as the encoders do which escape more than JSON asks for."""

    def encode(document: object, **how: object) -> str:
        text = json.dumps(document, **how)  # type: ignore[arg-type]
        for character in characters:
            text = text.replace(
                character, f"\\u{ord(character):04X}" if in_hex else f"\\{character}"
            )
        return text

    return encode


ENCODERS = {
    "plain": json.dumps,
    "slashes, as PHP": escaping("/", in_hex=False),
    "numbers, as .NET": escaping("+&<>'`"),
    "numbers, as Go and Gson": escaping("<>&='"),
    "more than any": escaping("+&<>'=/@?;"),
}
"""What writes JSON with one choice of escapes or another, where none is needed."""
