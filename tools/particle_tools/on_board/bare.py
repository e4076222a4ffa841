"""What a board is that may have no library yet."""


def run(modules):
    """Return its network and transport, its library's version and what that lacks.

    modules: by transport, what that needs; so is `missing`.
    """
    import sys

    found = {"net": "host", "transport": "udp", "platform": sys.platform}
    found["library"] = None
    try:
        import particle_board as board

        found["net"] = board.NET
        found["transport"] = board.TRANSPORT
    except ImportError:
        try:
            import network

            if hasattr(network, "WLAN"):
                found["net"] = "wifi"
        except ImportError:
            pass
    try:
        import particle
    except ImportError:
        return found
    found["library"] = getattr(particle, "version", "of no version")
    found["missing"] = {name: _missing(particle.__file__, modules[name]) for name in modules}
    return found


def _missing(init, modules):
    import os

    folder = init.rpartition("/")[0]

    def there(module):
        for suffix in (".mpy", ".py"):
            try:
                os.stat(folder + "/" + module + suffix)
                return True
            except OSError:
                pass
        return False

    # what is frozen is no file, and complete
    return [m for m in modules if not there(m)] if there("__init__") else []
