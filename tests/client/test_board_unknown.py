"""A board without a profile: what its firmware has is its profile."""

import sys

NAME = "particle.runtime.board"


class Lan:
    """MicroPython's module `network` of a board without a radio."""


class Radio(Lan):
    """The same with one."""

    WLAN = None


class Os:
    """MicroPython's module `os`, as far as it tells where files are."""

    def __init__(self, *folders):
        self._folders = folders

    def stat(self, path):
        if path not in self._folders:
            raise OSError(2)


def generic(network, *folders):
    """Import the generic profile with these modules of the firmware."""
    import particle.runtime

    put = {"network": network, "os": Os(*folders), NAME: None}
    kept = {name: sys.modules.pop(name, None) for name in put}
    package = particle.runtime
    before = getattr(package, "board", None)
    sys.modules["os"] = put["os"]
    if network:
        sys.modules["network"] = network
    try:
        return __import__(NAME, None, None, ("NET",))
    finally:
        for name, module in kept.items():
            sys.modules.pop(name, None)
            if module:
                sys.modules[name] = module
        if before:
            package.board = before


def test_wifi_where_the_firmware_has_it():
    assert generic(Radio).NET == "wifi"  # esp32, rp2 of a W board
    for network in (Lan, None):  # a port without a radio, or without networks
        assert generic(network).NET == "host"


def test_files_where_the_firmware_mounts_them():
    assert generic(Radio).STORE_ROOT == "/pt"  # esp32, rp2
    assert generic(Radio, "/flash", "/sd").STORE_ROOT == "/flash/pt"  # stm32, nrf, mimxrt


def test_what_every_profile_says():
    board = generic(Radio)
    assert (board.PLATFORM_ID, board.TRANSPORT) == (60000, "udp")
    assert not hasattr(board, "LED")
