"""`python -m training` is `stylize-train`."""

import sys

from training.cli import main

# The processes of several devices import this module again.
if __name__ == "__main__":
    sys.exit(main())
