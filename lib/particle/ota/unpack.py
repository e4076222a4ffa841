"""From a stored image to a slot: the module around a bundle, plain or compressed (ota-and-boot
1.7, 4.7).
"""

from micropython import const

from ..errors import UpdateError
from ..wire.module import Image, Refused
from .slots import check_window, guarded, inflated, through

# Error numbers of Device OS (ota-and-boot 1.9)
_UNSUPPORTED = const(-1310)
_FAILED = const(-1320)
_INVALID_FORMAT = const(-1370)

_USER = const(5)
_LARGEST = const(0x01000000)  # bytes of a module that is inflated
_DEFAULT_WINDOW = const(15)


def unpack(path, size, bundle, platform_id, slots, functions=(_USER,)):
    """Feed `bundle` from the image in a file of `size` bytes; a generator, yields once per slice.

    functions: of the modules that are taken. The slot is complete when it gives the `Module`,
    which says what is installed. Raises `UpdateError`; the bundle is closed in any case.
    """

    def hand_on(view):
        # the payload of the one module, unless it has to be inflated first
        module = image.modules[0]
        if module.function not in functions or len(image.modules) > 1:
            raise Refused(_UNSUPPORTED, "no application, or more than one")
        if not module.packed:
            bundle.feed(view)

    try:
        image = guarded(Image, size, platform_id, slots, {}, hand_on)
        with guarded(open, path, "rb") as f:
            yield from _through(f.readinto, image, bundle)
            module = image.modules[0]
            if module.packed:
                _, _, bits, original = module.packed
                if original > _LARGEST:
                    raise UpdateError(_INVALID_FORMAT, "inflates to %d bytes" % original, "update")
                guarded(check_window, bits or _DEFAULT_WINDOW)
                f.seek(module.payload_at)
                image = guarded(Image, original, platform_id, slots, {}, hand_on)
                read = guarded(inflated, f, bits)
                yield from _through(read, image, bundle)
                if image.modules[0].packed or read(bytearray(1)):
                    raise UpdateError(_INVALID_FORMAT, "inflates to more than it says", "update")
                module = image.modules[0]
        yield from complete(module, bundle)
    finally:
        bundle.close()
    return module


def complete(module, bundle):
    """Check and complete what is unpacked, when all of its `module` came; a generator."""
    listing = bundle.manifest
    if listing and sorted(module.assets()) != sorted(listing.assets):
        raise UpdateError(_FAILED, "the assets are not those that were signed", "update")
    bundle.finish()
    yield from settled(bundle)


def settled(bundle):
    """Have a bundle do what it has to do before more may come; a generator."""
    while bundle.busy():
        bundle.step()
        yield


def _through(read, image, bundle):
    def take(view):
        feed(image, view)
        return settled(bundle)

    if (yield from through(lambda view: guarded(read, view), image.size, take)):
        raise UpdateError(_INVALID_FORMAT, "the image is cut off or damaged", "update")


def feed(image, data):
    """Give an `Image` its next bytes; raises `UpdateError`."""
    guarded(image.feed, data)
    code = image.error()
    if code:
        raise UpdateError(code, image.text, "update")
