"""The host side of boards/UNIX_SIM: the board's directory, its power, its serial port."""
