"""The table of verbs against the verbs, and completion by the shell, which goes by the table."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

from nnlite.cli.verbs import VERBS
from tests.cli.command import environment, nnlite


@pytest.mark.parametrize("name", VERBS)
def test_the_table_says_what_the_verb_says(name: str) -> None:
    function = getattr(importlib.import_module(f"nnlite.cli.{VERBS[name].module}"), name)
    assert (inspect.getdoc(function) or "").startswith(VERBS[name].summary)


def test_help_imports_no_verb() -> None:
    code = (
        "import sys; from nnlite.cli import run; run(['--help']);"
        "print([m for m in sys.modules if m.endswith('_verbs') or m.endswith('_verb') or m in ('numpy', 'serial')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def complete(*words: str) -> list[str]:
    """What bash offers for the last word."""
    line = " ".join(("nnlite", *words))
    done = nnlite(_NNLITE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words)))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_the_shell_completes_verbs_and_their_options() -> None:
    assert complete("") == list(VERBS)
    assert complete("ro") == ["rollback"]
    assert "--board" in complete("plan", "--")


def test_the_script_for_a_shell_names_the_command() -> None:
    done = nnlite(_NNLITE_COMPLETE="source_bash")
    assert (done.returncode, done.stderr) == (0, "")
    assert "_NNLITE_COMPLETE=complete_bash" in done.stdout
