"""MicroPython's module `deflate` on zlib, as far as the device library uses it: raw, inflating.

As there, damaged or cut off data raise OSError, and nothing is read behind their end.
"""

import io
import zlib

AUTO, RAW, ZLIB, GZIP = range(4)


class DeflateIO(io.RawIOBase):
    """Inflate `stream` while it is read: `DeflateIO(stream, RAW, wbits)`."""

    def __init__(self, stream, format=AUTO, wbits=0):
        if format != RAW:
            raise ValueError("raw deflate only, the format that bundles have")
        self._stream = stream
        self._inflate = zlib.decompressobj(-(wbits or 8))
        self._ready = b""

    def readable(self):
        """Return True."""
        return True

    def readinto(self, buffer):
        """Fill as much of `buffer` as there is; 0 at the end."""
        while not self._ready and not self._inflate.eof:
            data = self._inflate.unconsumed_tail or self._stream.read(64)
            if not data:
                raise OSError(22)
            try:
                self._ready = self._inflate.decompress(data, len(buffer))
            except zlib.error:
                raise OSError(22) from None
        n = min(len(buffer), len(self._ready))
        buffer[:n] = self._ready[:n]
        self._ready = self._ready[n:]
        return n
