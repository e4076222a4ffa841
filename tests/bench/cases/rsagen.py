"""What making an RSA key on the device calculates, with two candidates that are primes."""

from binascii import unhexlify

from particle.crypto import rsagen

VECTORS = {}

_P = unhexlify(
    "e60978058a46a83f750ad253aebdee53217e205dd0708acd0aa3c8d0c05f97ab"
    "211d017428ed1c09869649be63fe1aff6d494aec1c596be83b3290e755eff72f"
)
_Q = unhexlify(
    "ca7cb15a41a411231e2a1f1d838cd64e39e49e441992e136535f9594c6284ec2"
    "f8834e9f425a6984318a9c8fe9bd81672c3dff02bb7e5dc2a739448461e6ade3"
)
_ROUNDS = 7  # of Miller and Rabin, each of which asks for random bytes


def _generate():
    bases = [bytes([n]) * 64 for n in range(1, 1 + _ROUNDS)]
    drawn = iter([_P] + bases + [_Q] + bases)
    return rsagen.generate(lambda n: next(drawn), [0])


def cases():
    """Yield (key, function); what the function returns is counted too if it is a generator."""
    yield "rsa_generate_two_candidates", _generate
