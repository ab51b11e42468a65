"""The benchmark's clock finds every function of wiretape's that it names."""

import json
import subprocess
import sys
from pathlib import Path

TRACED = Path(__file__).parents[1] / "bench" / "traced.py"


def test_each_step_of_the_profile_is_found(tmp_path: Path):
    trace = tmp_path / "trace.json"
    command = [sys.executable, str(TRACED), str(trace), "0", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wiretape ")
    assert set(json.loads(trace.read_text())) == {"steps_ns", "turns_ns", "long_turns_ns"}
