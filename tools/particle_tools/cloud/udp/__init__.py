"""Devices over DTLS/UDP: associations, their sessions on storage, reliable messages."""
