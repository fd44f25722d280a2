"""`python -m training` is `stylize-train`."""

import sys

from training.cli import main

sys.exit(main())
