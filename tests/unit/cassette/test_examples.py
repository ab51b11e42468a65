"""The committed cassettes are what every YAML reader takes them for."""

from pathlib import Path

import pytest
import yaml

from wiretape.cassette.loader import load

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted([*ROOT.glob("cassettes/**/*.yaml"), ROOT / "proxy" / "wiretape" / "demo.yaml"])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_example_says_where_it_comes_from_and_loads_anywhere(path: Path):
    text = path.read_text("utf-8")
    assert text.startswith("# ")
    in_python = yaml.load(text, yaml.SafeLoader)
    assert in_python == yaml.load(text, yaml.CSafeLoader)
    cassette = load(path)
    assert cassette.warnings == ()
    assert len(cassette.entries) == len(in_python["entries"])
    assert all(each.end is not None for each in cassette.interactions())
