"""Host side of the project: local cloud, simulated board, packing, flashing."""

from pathlib import Path

__version__ = "0.1.0"

#: The checkout: device library, board files and firmware lie next to `tools/`.
ROOT = Path(__file__).resolve().parents[2]
