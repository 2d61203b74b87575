"""``python -m reducer`` runs the same command line as ``reducer``."""

import sys

from reducer.cli import main

if __name__ == "__main__":
    sys.exit(main())
