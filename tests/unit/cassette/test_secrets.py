from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.planted import ENCODERS, PLANTED, grep
from wiretape.cassette import secrets as secrets_module
from wiretape.cassette.escapes import Unescaped
from wiretape.cassette.secrets import Found, Secrets, same_for_all_lengths, stand_in
from wiretape.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS = Secrets()


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("around", ["{}", "It is: {} and so on.", '"{}"', "key={}\nnext", "\\n{}"])
def test_every_shape_is_found_wherever_it_stands(name: str, around: str):
    text, secret = PLANTED[name]
    content = around.format(text).encode()
    redacted = SECRETS.redact(content)
    assert not grep(secret, redacted)
    assert len(redacted) == len(content)
    assert SECRETS.find(redacted) == [], "a stand-in is no secret"
    assert SECRETS.redact(redacted) == redacted


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", PLANTED)
def test_every_shape_is_found_in_json_and_in_json_inside_json(name: str, encoder: str):
    text, secret = PLANTED[name]
    encode = ENCODERS[encoder]
    once = encode({"a": text})
    inside = {"a": text}
    redacted = SECRETS.redact(once.encode())
    assert len(redacted) == len(once)
    assert not grep(secret, json.loads(redacted)["a"].encode())
    assert json.loads(redacted).keys() == inside.keys()
    redacted = SECRETS.redact(encode({"b": encode(inside)}).encode())
    assert not grep(secret, json.loads(json.loads(redacted)["b"])["a"].encode())
    assert SECRETS.find(redacted) == []


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("name", PLANTED)
def test_a_secret_compares_alike_however_json_writes_it(name: str, encoder: str):
    text, _ = PLANTED[name]

    def compared(encode: Callable[[object], str]) -> object:
        return json.loads(same_for_all_lengths(SECRETS.redact(encode({"a": text}).encode())))

    assert compared(ENCODERS[encoder]) == compared(json.dumps)


def test_a_pattern_of_the_users_may_be_meant_for_the_text_or_for_its_bytes():
    content = rb'{"a":"id\/4711 and x"}'
    for pattern in (r"id/(\d+)", r"id\\/(\d+)"):
        assert Secrets([pattern]).find(content) == [Found("custom", 10, 14)]
    assert Secrets(["id/4711"]).redact(content) == b'{"a":"REDACTED and x"}'


def test_of_two_secrets_that_overlap_no_end_stays():
    found = Secrets(["b.*d", "a.*c"]).find(b"-abcd-")
    assert found == [Found("custom", 1, 5)]


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn and scikit-learn, a task-force, disk-usage-by-user-and-by-directory",
        "the container sk-estimator-container-div-item-parallel is CSS",
        "Bearer token authentication uses the Authorization: Bearer header",
        "Authorization: Basic is simple; basic understanding",
        "https://example.com/a?b=c&page=2 and https://user@host/ and http://127.0.0.1:8080/x",
        "postgres://user:password@localhost/db and https://${USER}:${PASS}@host",
        '{"id":"chatcmpl-926","object":"chat.completion.chunk","system_fingerprint":"fp_44709d6fcb"}',
        "call_wteop8bt msg_01XFDUDYJgAACzvnptvVoYEL toolu_01T1x1fJ34qAmk2tNTrN7Up6",
        "AKIA is how they begin; hf_ too; xoxb- likewise; eyJ is base64 of a brace",
        "pplx-70b-online, nvapi-, csk-, tvly-YOUR-KEY, jina_embeddings_v2_base_en_for_long_texts",
        "r8_normal_01_cdf_inverse_values and fw_version_of_the_board_3 and lsv2_pt_ and pcsk_",
        "tvly-the-key-of-a-web-search-for-agents, fw_someNameInAProgramOfSomebody",
        "/v1?subscription-key=<key>&access_keys=none&x-api-key=",
        "req_011CSHoEeqs5C35K2UUqR7Fy and 550e8400-e29b-41d4-a716-446655440000",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
    ],
)
def test_what_is_no_secret_stays(text: str):
    assert SECRETS.find(text.encode()) == []


@given(st.binary(max_size=300), st.sampled_from(sorted(PLANTED)), st.binary(max_size=300))
def test_redacting_keeps_the_length_and_is_done_once(before: bytes, name: str, after: bytes):
    content = before + b" " + PLANTED[name][0].encode() + b" " + after
    redacted = SECRETS.redact(content)
    assert len(redacted) == len(content)
    assert not grep(PLANTED[name][1], redacted)
    assert SECRETS.redact(redacted) == redacted


FRAGMENTS = [
    *(text[:cut] for text, _ in PLANTED.values() for cut in (8, 40, 400)),
    *" \"'\\n/.:@?&=-_%AzJ9",
    "\\u0026token=",
    "\\u003D",
    "\\/",
    "\\u002",
    "%3Fkey%3D",
    "?key=%2Babc%2Fdefgh",
    "glpat-1.",
    "xoxd-",
    "xoxz-",
    "Bearer",
    "%20",
    "\t",
    "http://u:",
    "GOCSPX-",
    "csk-",
    "fw_",
    "tvly-dev-",
    "lsv2_sk_",
    "&subscription-key=",
    "#",
    "a1B2c3D4",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join))
def test_the_quick_look_misses_nothing(text: str):
    content = text.encode()
    known = secrets_module._KNOWN  # noqa: SLF001  what is found without the quick look
    plain = Unescaped(content)
    found = [
        (plain.outside(match.start(match.lastindex)), plain.outside(match.end(match.lastindex)))
        for match in known.finditer(plain.text)
        if match.lastindex
    ]
    assert [(each.start, each.end) for each in SECRETS.find(content)] == found


@pytest.mark.parametrize(
    "text",
    [
        "GOCSPX-abc.defghijklmnopqrstu",
        "http://user:pa#ss1234@host/",
        "http://user:pa?ss1234@host/",
        "Bearer%20%20abcdefghijklmnop1234 ",
        "Bearer \tabcdefghijklmnop1234 ",
        "Authorization: Bearer  abcdefghijklmnop1234 x",
        "/v1?x-api-key=abcdefgh1234",
        "/v1?a=1&access_key=abcdefgh1234",
        "/v1?Ocp-Apim-Subscription-Key=abcdefgh1234",
        "/v1?X-Amz-Security-Token=abcdefgh1234",
        "/v1%3Fsubscription-key%3Dabcdefgh1234",
        "tvly-abcdefghijklmnopqrstuvwx12345678",
    ],
)
def test_what_the_quick_look_once_missed(text: str):
    assert len(SECRETS.find(text.encode())) == 1


def test_stand_ins_grow_by_their_end_alone():
    for length in range(60):
        assert stand_in("openai", 60).startswith(stand_in("openai", length))
    assert stand_in("openai", 30) == b"REDACTED-openai-xxxxxxxxxxxxxx"


def test_stand_ins_of_any_length_compare_alike():
    one = SECRETS.redact(b"ask sk-" + b"a1" * 15 + b" now")
    other = SECRETS.redact(b"ask sk-" + b"b2" * 30 + b" now")
    assert one != other
    assert same_for_all_lengths(one) == same_for_all_lengths(other)
    assert same_for_all_lengths(b"nothing") == b"nothing"


@pytest.mark.parametrize("kind", ["password", "parameter", "private-key", "custom"])
def test_stand_ins_of_short_secrets_compare_alike(kind: str):
    for length in range(4, 40):
        for end in (b"@h/", b"-main", b"9abc", b"_x"):
            content = b"http://al:" + stand_in(kind, length) + end
            compared = same_for_all_lengths(content)
            assert compared == b"http://al:REDACTED" + end.removeprefix(b"-")


def test_what_follows_a_stand_in_is_compared():
    account = Secrets([r"acct(\d+)"])
    for secrets, secret in ((SECRETS, b"ghp_" + b"a1" * 18), (account, b"acct1234567890")):
        ends = {
            same_for_all_lengths(secrets.redact(secret + end))
            for end in (b"-one", b"-two", b" abc", b"", b"/a", b"/x")
        }
        assert len(ends) == 6
    one, other = (account.redact(b"acct1234567890" + end) for end in (b"abc", b"xyz"))
    assert same_for_all_lengths(one) != same_for_all_lengths(other)


def test_words_that_are_no_stand_in_stay_apart():
    words = [b"PREDATOR", b"READ", b"RED", b"FREDA", b"REDACT-ION", b"REDACTEUR", b"REDA/"]
    assert len({same_for_all_lengths(word) for word in words}) == len(words)


def test_the_users_patterns_say_which_part_is_secret():
    secrets = Secrets([r"customer-\d+", r"pin: (\d+)", r"(?P<name>\w+)'s (?P<secret>\w+)"])
    content = b"customer-123456 pin: 4711, ada's notebook"
    kinds = [(each.kind, content[each.start : each.end]) for each in secrets.find(content)]
    assert kinds == [
        ("custom", b"customer-123456"),
        ("custom", b"4711"),
        ("custom", b"notebook"),
    ]
    redacted = secrets.redact(content)
    assert redacted == b"REDACTED-custom pin: REDA, ada's REDACTED"
    assert secrets.redact(redacted) == redacted


def test_of_two_that_overlap_the_first_counts():
    secrets = Secrets([r"\d+", r"1234-abcd"])
    assert secrets.find(b"x 1234-abcd") == [Found("custom", 2, 11)]


def test_only_the_users_patterns_where_the_shapes_are_switched_off():
    secrets = Secrets([r"hush"], builtin=False)
    key = PLANTED["openai"][0]
    assert secrets.redact(f"hush {key}".encode()) == f"REDA {key}".encode()
    assert not Secrets(builtin=False)
    assert Secrets(builtin=False).find(key.encode()) == []


@pytest.mark.parametrize("pattern", ["(", "a*", ""])
def test_a_pattern_that_cannot_be_is_refused(pattern: str):
    with pytest.raises(UsageError, match="--redact"):
        Secrets([pattern])


def test_text_that_is_no_utf_8_can_be_redacted():
    key, secret = PLANTED["github"]
    assert secret not in SECRETS.redact_text(f"\udcff {key}")
    assert SECRETS.redact_text("\udcff") == "\udcff"


def test_a_long_text_is_searched_only_where_a_secret_may_begin(monkeypatch: pytest.MonkeyPatch):
    tried = 0
    known = secrets_module._KNOWN  # noqa: SLF001  the costly part

    class Counting:
        def match(self, content: bytes, position: int):
            nonlocal tried
            tried += 1
            return known.match(content, position)

    monkeypatch.setattr(secrets_module, "_KNOWN", Counting())
    assert not SECRETS.find(b"?what=anything-at-all " + b"and more of it " * 20_000)
    assert 0 < tried < 1_000
    tried = 0
    assert not SECRETS.find(b"/v1beta/models/m:streamGenerateContent?alt=sse")
    assert tried == 0
    link = b"https://shop.example/item?id=1&utm_source=newsletter&utm_campaign=november "
    assert not SECRETS.find(link * 100)
    assert tried == 2 * 100


def test_long_hostile_text_takes_no_long_time():
    # Quadratic at the very worst would not end within a test's patience.
    for piece in (
        b"sk-",
        b"://a:",
        b"?key=",
        b"-----BEGIN PRIVATE KEY-----",
        b"eyJ-",
        b"eyJ.",
        b"%3F",
        b"Bearer a",
        b"\\",
        b"\\u0026",
        b"\\/",
        b"\\\\/sk-",
    ):
        content = piece * 20_000
        assert len(SECRETS.redact(content)) == len(content)
