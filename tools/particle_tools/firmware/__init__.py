"""MicroPython with our library frozen in, built for a board and run where it can be emulated."""
