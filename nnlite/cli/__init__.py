"""The command line: verbs, options and what is printed. What the verbs do is in the package's other modules."""

from __future__ import annotations

import os
import sys

__all__ = ["main", "run"]


def run(arguments: list[str]) -> int:
    """Carry out one command line and return its exit code. The one place where errors become messages."""
    import typer

    from nnlite.cli.app import app
    from nnlite.errors import NNLiteError, UsageError

    try:
        result = app(arguments, prog_name="nnlite", standalone_mode=False)
        sys.stdout.flush()
    except NNLiteError as error:
        print(f"nnlite: {error}", file=sys.stderr)
        return error.exit_code
    except typer.Exit as error:
        return error.exit_code
    except typer.TyperException as error:
        print(f"nnlite: {error.format_message()}; 'nnlite --help' lists the commands, each has --help", file=sys.stderr)
        return UsageError.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("nnlite: interrupted; nothing was changed that a message did not report", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read the output has gone; the interpreter must not complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        import traceback

        traceback.print_exc()
        print("nnlite: this is a defect of nnlite. Please report it with the lines above.", file=sys.stderr)
        return 1
    return result if isinstance(result, int) else 0


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))
