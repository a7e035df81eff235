"""`python -m nnlite` is the command `nnlite`."""

from nnlite.cli import main

if __name__ == "__main__":
    main()
