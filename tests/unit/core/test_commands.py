import pytest

from wiretape.core.commands import with_option


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        ("wiretape record", "wiretape record --max-body 17M"),
        ("wiretape record --cassette 'a b'", "wiretape record --max-body 17M --cassette 'a b'"),
        ("wiretape record --max-body 1K --dir d", "wiretape record --max-body 17M --dir d"),
        ("wiretape record --max-body=1K", "wiretape record --max-body 17M"),
        (
            "wiretape run --mode record --max-body 1K -- ./agent --max-body 1",
            "wiretape run --max-body 17M --mode record -- ./agent --max-body 1",
        ),
        ("pytest --wiretape-mode=record a.py", "pytest --wiretape-mode=record a.py"),
        ("take mode='once from the mark", "take mode='once from the mark"),
    ],
)
def test_an_option_stands_once_before_the_command_that_is_run(command, changed):
    assert with_option(command, "--max-body", "17M") == changed
