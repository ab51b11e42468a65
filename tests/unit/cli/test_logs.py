import json
import logging

import pytest

from wiretape.cli import logs


def test_text_names_the_program_and_what_is_above_info(capsys: pytest.CaptureFixture[str]):
    logs.set_up("info", "text")

    logs.say("wrote a.yaml")
    logging.getLogger("wiretape.server").warning("a miss\n  twice")
    logging.getLogger("wiretape.server").debug("too much")

    assert capsys.readouterr().err == (
        "wiretape: wrote a.yaml\nwiretape: warning: a miss\n  twice\n"
    )


def test_text_from_a_cassette_does_not_control_the_terminal(capsys: pytest.CaptureFixture[str]):
    logs.set_up("info", "text")

    logs.say("missed: GET /\x1b[31m\u202e\n\tagain")

    assert capsys.readouterr().err == "wiretape: missed: GET /\\x1b[31m\\u202e\n\tagain\n"


def test_json_is_one_object_a_line_with_what_came_along(capsys: pytest.CaptureFixture[str]):
    logs.set_up("info", "json")

    logs.say("two\nlines \udcff", level="error", report={"used": [1]})

    line, end = capsys.readouterr().err.split("\n")
    said = json.loads(line)
    assert end == ""
    assert said.pop("time").endswith("Z")
    assert said == {
        "level": "error",
        "logger": "wiretape",
        "message": "two\nlines \udcff",
        "report": {"used": [1]},
    }


def test_json_holds_a_traceback_in_its_line(capsys: pytest.CaptureFixture[str]):
    logs.set_up("info", "json")

    try:
        raise ZeroDivisionError  # noqa: TRY301  to have a traceback
    except ZeroDivisionError:
        logging.getLogger("x").exception("a bug")

    assert "ZeroDivisionError" in json.loads(capsys.readouterr().err)["exception"]


def test_what_was_set_up_before_is_replaced():
    logs.set_up("info", "json")
    assert logs.speaks_json()

    logs.set_up("error", "text")

    assert not logs.speaks_json()
    assert len(logging.getLogger().handlers) == 1
    assert not logging.getLogger("wiretape").isEnabledFor(logging.WARNING)
