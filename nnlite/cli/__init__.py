"""The command line: verbs, options and what is printed. What the verbs do is in the package's other modules."""

from __future__ import annotations

import errno
import io
import os
import sys

__all__ = ["main", "run"]

_INTERRUPTED = 130
_STOPPED = "interrupted; nothing was left half done: a file, or a board's model, is as it was, or new and whole"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}


def run(arguments: list[str]) -> int:
    """Carry out one command line and return its exit code. The one place where errors become messages."""
    from nnlite.errors import NNLiteError

    try:
        return _carry_out(arguments)
    except NNLiteError as error:
        print(f"nnlite: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"nnlite: {_STOPPED}", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter must not complain about it at its end.
        _drop_output()
        return 0
    except Exception:
        import traceback

        traceback.print_exc()
        print("nnlite: this is a defect of nnlite. Please report it with the lines above.", file=sys.stderr)
        return 1


def _carry_out(arguments: list[str]) -> int:
    """Let typer find the verb; its own exceptions become ours."""
    import typer

    from nnlite.errors import PathError, UsageError

    if not arguments:
        _verb(["--help"])
        raise UsageError("a command is missing; they are listed above, 'nnlite demo' is a good one to begin with")
    try:
        result = _verb(arguments)
    except typer.Exit as error:
        result = error.exit_code
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = "nnlite" if context is None else context.command_path
        said = error.format_message().rstrip(".")
        raise UsageError(f"{said}{' See' if said.endswith('?') else '; see'} '{command} --help'") from error
    except typer.Abort:
        raise KeyboardInterrupt from None
    except SystemExit:
        raise BrokenPipeError from None  # what typer makes of one, whatever else it is asked for
    except OSError as error:
        # Files and ports are met elsewhere, and become our errors there; what is left is the output.
        if os.name == "nt" and error.errno == errno.EINVAL:  # what Windows makes of a reader that has gone
            raise BrokenPipeError from None
        if error.filename is not None or error.errno not in _FULL:
            raise
        _drop_output()
        raise PathError(f"cannot write the result to standard output: {error.strerror}") from error
    return result if isinstance(result, int) else 0


def _verb(arguments: list[str]) -> object:
    from nnlite.cli.app import app

    result = app(arguments, prog_name="nnlite", standalone_mode=False)
    if result == _INTERRUPTED:  # what typer makes of Ctrl-C
        raise KeyboardInterrupt
    sys.stdout.flush()
    return result


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Entry point of the console script."""
    # A shell may close these ('>&-'); Python then has None in their place.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a label may have letters that the terminal has not
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))
