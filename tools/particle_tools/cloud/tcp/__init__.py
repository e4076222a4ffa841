"""Devices over AES/TCP."""
