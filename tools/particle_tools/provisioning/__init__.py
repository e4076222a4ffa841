"""A board with MicroPython becomes a device of the cloud: `particle-mp provision`."""
