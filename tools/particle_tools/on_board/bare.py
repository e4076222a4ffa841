"""What a board is that may have no library yet."""


def run():
    """Return the kind of network that it has, the transport it is made for, its platform."""
    import sys

    found = {"net": "host", "transport": "udp", "platform": sys.platform, "name": None}
    try:
        import particle_board as board

        found["net"] = board.NET
        found["transport"] = board.TRANSPORT
        found["name"] = getattr(board, "NAME", None)
    except ImportError:
        try:
            import network

            if hasattr(network, "WLAN"):
                found["net"] = "wifi"
        except ImportError:
            pass
    return found
