"""`python -m particle_tools.portal`: write the page that boards serve."""

import sys

from particle_tools.errors import UserError
from particle_tools.portal import PAGE, packed

try:
    PAGE.write_bytes(packed())
except UserError as error:
    sys.exit(str(error))
print(f"{PAGE.name}: {PAGE.stat().st_size} bytes")
