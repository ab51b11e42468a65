"""The benchmark's profiles: the clock finds every function of wiretape's that it names."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[1] / "bench"
NOTES = Path(__file__).parents[2] / "cassettes" / "notes"


def test_each_step_of_the_profile_is_found(tmp_path: Path):
    trace = tmp_path / "trace.json"
    command = [sys.executable, str(BENCH / "traced.py"), str(trace), "0", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wiretape ")
    assert set(json.loads(trace.read_text())) == {"steps_ns", "turns_ns", "long_turns_ns"}


def test_the_functions_that_opening_takes_are_told():
    command = [sys.executable, str(BENCH / "opened.py"), str(NOTES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    functions = json.loads(done.stdout)
    assert functions
    assert all(len(each) == 3 and each[2] >= 0 for each in functions)
