"""A bare board gets its firmware, its files and its identity: `particle-mp flash`."""
