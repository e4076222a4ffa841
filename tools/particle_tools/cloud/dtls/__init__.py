"""DTLS 1.2 as Particle devices speak it, server side."""
