import os
import stat

from wiretape.cassette.cleaning import clean_file
from wiretape.cassette.redaction import Redactor
from wiretape.cassette.secrets import Secrets


def test_what_is_cleaned_is_for_no_more_eyes_at_any_time(tmp_path, monkeypatch):
    path = tmp_path / "x.yaml"
    path.write_text(
        "wiretape: 1\nrecorded: 2026-11-22T10:31:02Z\nupstream: http://x\nentries:\n"
        "- {request: 1, at: 0, method: GET, target: /hush-1}\n"
    )
    path.chmod(0o600)
    seen, sync = [], os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: seen.append(stat.S_IMODE(os.fstat(file).st_mode)) or sync(file)
    )
    clean_file(path, Redactor(Secrets(("hush-[0-9]",))))
    assert "hush" not in path.read_text()
    assert seen[0] == stat.S_IMODE(path.stat().st_mode) == 0o600
