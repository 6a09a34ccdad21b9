"""`python -m numgpt` is `numgpt`."""

import sys

from numgpt.cli import main

if __name__ == "__main__":
    sys.exit(main())
