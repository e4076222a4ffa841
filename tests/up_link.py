"""A network that is always there, for boards that meet their cloud in the same process."""


class UpLink:
    """A Link (DESIGN 5, net) that is always up; a subclass has `open`."""

    kind = "host"
    error = None
    dns = None

    def up(self):
        """Do nothing."""

    down = up

    def step(self, now):
        return 4

    def deadline(self):
        return None

    def info(self):
        return None, None, None, "10.0.0.53"

    def signal(self):
        return None
