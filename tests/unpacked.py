"""A whole image, as a board unpacks what waited in a file; runs on both interpreters."""

from particle.ota.direct import Direct
from particle.ota.slots import remove


class _Image(Direct):
    def __init__(self, path, size, bundle, platform_id, places):
        super().__init__(path.rpartition("/")[0], None, None, None, platform_id, places)
        self._part = path
        self.size = size
        self._given = bundle

    def _sink(self):
        return self._given._sink

    def _bundle(self, head, sink):
        head.close()
        remove(self._head)
        return self._given


def unpack(path, size, bundle, platform_id, places):
    """Feed `bundle` from the image in a file of `size` bytes; a generator, gives the `Module`."""
    image = _Image(path, size, bundle, platform_id, places)
    try:
        stream = yield from image._staged()
        module, _ = yield from stream.complete()
    finally:
        image._close()
        bundle.close()
    return module
