"""Firmware on its way to devices: both protocols, what proves success, who gets what next."""
