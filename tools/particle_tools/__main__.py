"""`python -m particle_tools` is `particle-mp`."""

import sys

from particle_tools.cli import main

if __name__ == "__main__":
    sys.exit(main())
