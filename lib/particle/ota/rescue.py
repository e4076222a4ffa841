"""Which application runs when the boot record vouches for none (ota-and-boot 4.1 to 4.3, 4.5).

The boot stage loads it then and only then: what is in the slots counts when its signature is
right and it is for this board, which takes time and memory that a usual boot does without.
"""

import hashlib

from micropython import const

from ..wire.manifest import Header, Manifest
from ..wire.module import Refused
from .bootrecord import BootRecord
from .signed import find, keys, verify
from .targets import about

# of a bundle (wire/manifest.py)
_HEADER_BYTES = const(24)
_LINE_BYTES = const(256)

# flag of the boot record
_ROLLED_BACK = const(1)

_TRIES = const(1)  # reason for going back
_FAILED = const(-1320)  # error number of Device OS (ota-and-boot 1.9)


def recover(boot, record, client):
    """Choose as `choose` of the boot stage `boot` does, and write it down; None: nothing can run.

    What was kept before is kept again, the newest first. What is newer than `record` says was
    never tried: now it is. Without a record nothing tells, and the newest counts as kept.
    """
    facts = about(client, client._board)
    signers = keys(client._board, client._store)
    good = []
    floor = record.floor
    for slot in range(2):
        path = boot.root + "/" + "ab"[slot]
        found = boot.check(path, None, True)
        if not found or found[0] < record.floor:
            continue
        try:
            digest = signed(path, facts, signers, boot.watchdog)
        except (OSError, ImportError, MemoryError, ValueError, Refused) as e:
            print("boot: %s cannot run:" % path, e.args[0] if e.args else "no memory")
            continue
        version, least = found
        kept = not record.found or version <= record.version
        given_up = record.flags & _ROLLED_BACK and record.reason == _TRIES
        if not kept and given_up and version == record.trial_version:
            continue  # it could not be removed
        floor = max(floor, least) if kept else floor
        good.append((kept, version, slot == record.active, slot, least, digest))
    if not good:
        return None
    kept, version, _, slot, least, digest = max(good)
    if kept:
        boot.written(BootRecord.use, record, slot, version, floor, digest)
        return slot, False, least
    if boot.written(BootRecord.hand_off, record, slot, version, digest):
        return boot.choose(record)
    return None


def signed(path, facts, signers, watchdog):
    """Return the SHA-256 of the manifest in the folder `path`; raises `Refused` as an update does.

    facts: of the board, as of `Manifest.check`. signers: keys, DER. watchdog: one that runs, or
    None.
    """
    manifest = Manifest()
    with open(path + "/manifest", "rb") as f:
        data = f.read(_HEADER_BYTES)
        header = Header(data)
        digest = hashlib.sha256(data)
        whole = hashlib.sha256(data)
        left = header.manifest
        while left:
            data = f.readline(min(_LINE_BYTES, left))
            left -= len(data)
            manifest.line(data)
            digest.update(data)
            whole.update(data)
        signature = f.read(header.signature)
    whole.update(signature)
    right = header.kind and len(signature) == header.signature
    if right:
        key = find(signers, header.key_id)
        steps = verify(header.kind, key, signature, digest.digest())
        try:
            while True:
                next(steps)
                if watchdog:
                    watchdog.feed()
        except StopIteration as e:
            right = e.value
    if not right:
        raise Refused(_FAILED, "its signature is wrong")
    manifest.check(facts, 0, None)
    return whole.digest()
