"""What the verbs share on the screen."""

from __future__ import annotations

import io
import json
import sys

import pytest

from nnlite.cli.screen import print_json, progress_bar


@pytest.mark.parametrize(("encoding", "escaped"), [("ascii", True), ("cp1252", True), ("utf-8", False)])
def test_json_stays_json_in_any_encoding(encoding: str, escaped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding=encoding, errors="backslashreplace"))
    print_json(["größer", "大"])
    sys.stdout.flush()
    text = output.getvalue().decode(encoding)
    assert json.loads(text) == ["größer", "大"]
    assert ("\\u5927" in text) == escaped


@pytest.mark.parametrize(
    ("terminal", "quiet", "shown"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_bar_on_a_terminal_only(terminal: bool, quiet: bool, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    stream = Stream()
    monkeypatch.setattr(sys, "stderr", stream)
    # a terminal that cannot move its cursor has no bar
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("flashing", quiet) as progress:
        progress(1, 2)
        progress(2, 2)
    assert ("flashing" in stream.getvalue()) == shown
