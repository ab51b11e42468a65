import pytest

from wiretape.cassette.document import DocumentError, VersionError, read_document

HEAD = "wiretape: 1\nrecorded: 2026-11-22T10:31:02Z\nupstream: http://x\n"
GOOD = HEAD + "entries:\n- {request: 1, at: 0, method: GET, target: /}\n"


def test_a_head_alone_is_a_cassette_without_entries():
    for ending in ("entries:\n", "entries: []\n", "entries: null\n", "entries: ~\n", "entries:"):
        assert read_document(HEAD + ending).timeline.entries == []


def test_the_column_of_block_entries_is_known():
    assert read_document(GOOD).column == 0
    assert read_document(GOOD.replace("- {", "   - {")).column == 3
    assert read_document(HEAD + "entries: []\n").column is None


@pytest.mark.parametrize(
    ("text", "line", "entry", "reason"),
    [
        ("[]\n", 1, None, "the document is no mapping"),
        ("hello\n", 1, None, "the document is no mapping"),
        ("a: 1\n", 1, None, "`wiretape: 1` is missing"),
        ("entries:\n- {chunk: 1}\n", 1, None, "`wiretape: 1` is missing"),
        ("wiretape: 1\n", 1, None, "the head has no `recorded`"),
        ("wiretape: [1]\n", 1, None, "must be the format version"),
        (HEAD, 1, None, "`entries` is missing"),
        (HEAD + "entries: {}\n", 4, None, "`entries` must be a list"),
        (HEAD + "entries: 5\n", 4, None, "`entries` must be a list"),
        (HEAD + "upstream: http://y\n", 4, None, "'upstream' stands twice"),
        (HEAD + "note: x\nentries:\n", 4, None, "unknown key 'note'"),
        (HEAD.replace("2026", "x") + "entries:\n", 2, None, "`recorded` must be a time"),
        (HEAD.replace("http://x", "[]") + "entries:\n", 3, None, "`upstream` must be a text"),
        (GOOD + "- {chunk: 1, at: 0, text: a}\n", 6, 2, "chunk 1 stands before its response"),
        (GOOD + "- {end: 1, at: 1,\n   outcome: x}\n", 7, 2, "`outcome` must be one of"),
        (GOOD + "- {end: 1, at: 1, outcome: complete\n", 7, 2, "not valid YAML"),
        (GOOD + "- 5\n- {}\n", 6, 2, "an entry must be a mapping"),
        (GOOD + "- 5\nextra: 1\n", 7, None, "unknown key 'extra'"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_entry(text, line, entry, reason):
    with pytest.raises(DocumentError) as caught:
        read_document(text)
    assert reason in caught.value.reason
    assert caught.value.line == line
    assert caught.value.entry == entry


@pytest.mark.parametrize(
    "text",
    [
        "&a\n" + GOOD,
        "!mine\n" + GOOD,
        "!!python/dict\n" + GOOD,
        GOOD.replace("entries:", "entries: &a"),
        GOOD.replace("entries:", "entries: !mine"),
        HEAD + "entries: &a\n",
        HEAD + "entries: !mine ''\n",
    ],
)
def test_anchors_and_tags_are_refused_on_the_document_and_the_list_too(text):
    with pytest.raises(DocumentError, match=r"anchors|the tag"):
        read_document(text)


@pytest.mark.parametrize(("version", "said"), [("2", 2), ("'2'", 2), ("1.1", "1.1"), ("x", "x")])
def test_another_version_is_told_apart_from_an_error(version, said):
    text = f"entries:\n- {{frame: 1}}\nwiretape: {version}\n"
    with pytest.raises(VersionError) as caught:
        read_document(text)
    assert caught.value.version == said


def test_a_syntax_error_says_so():
    with pytest.raises(DocumentError) as caught:
        read_document(GOOD + "- {chunk: 1, sse: 'abc")
    assert caught.value.syntax
    with pytest.raises(DocumentError) as caught:
        read_document(GOOD + "- {chunk: 1}\n")
    assert not caught.value.syntax
