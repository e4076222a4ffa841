"""The boot stage: choose an application, check it, run it (ota-and-boot 4.1, 4.3).

Frozen; `main.py`, frozen too, calls `start`. An application is the folder of a slot, its
module `app` is run. A new one has three boots to reach the cloud and to say that it is well, and
is watched until then. In the end the board runs the new application or the old one; without any
it is in safe mode: it serves the cloud and takes an update.
"""

import os
import sys
import time
from hashlib import sha256

import machine
from micropython import const

import particle
from particle.ota.record import Record

try:
    from particle_rom import load, same  # not there, or not for this board
except ImportError:
    from particle_files import load, same
try:
    # an ESP32's: which one runs, and what watches one that is being tried
    from particle_firmware import firmware, watchdog
except ImportError:
    firmware = watchdog = None

_TRIAL = const(1)  # state of the boot record
_TRIES = const(1)  # reasons for going back
_DAMAGED = const(2)
_HEADER_BYTES = const(24)  # of a bundle (wire/manifest.py)
_LENGTH_AT = const(16)  # in it, of the manifest
_LENGTH_END = const(20)
_LINE = const(256)
_SIGNATURE = const(256)  # bytes of the longest
_NOTE = const(32)  # bytes of what is written down in other files, at most
_CRASHES = const(8)  # of an application that was confirmed, before safe mode
_SHORT_MS = const(60000)  # for an application to run until it ends
_DAY_S = const(86400)
_WDT_MS = const(8000)

record = None  # of this boot, when an application was chosen
trial = False  # whether it is being tried
floor = 0  # oldest version that it wants to be taken
root = path = None  # of the files of the library, of the application
version = 0  # of the application that runs; 0 is one that is frozen
client = None  # that serves the application (ota/trial.py)
slot = ""  # end of the names of what belongs to it: ".a" or ".b"


def check(path, digest, contents):
    """Return (version, floor) of the application in `path`, None when it must not run.

    digest: SHA-256 that its manifest must have, or None. contents: read its files, do not only
    look at their sizes. Signatures are not verified (ota/rescue.py).
    """
    facts = {}
    try:
        with open(path + "/manifest", "rb") as f:
            line = f.read(_HEADER_BYTES)
            h = sha256(line)
            left = int.from_bytes(line[_LENGTH_AT:_LENGTH_END], "little")
            while left > 0:
                line = f.readline(min(left, _LINE))
                h.update(line)
                left -= len(line) or left
                words = line[:-1].decode().split(" ", 3)
                if words[0] not in ("file", "keep"):
                    facts[words[0]] = words[-1]
                elif not same(path, words[3], int(words[1]), words[2], contents):
                    return None
            h.update(f.read(_SIGNATURE))
            if f.read(1) or digest and h.digest() != digest:
                return None
        return int(facts["version"]), int(facts["floor"])
    except (OSError, ValueError, LookupError, MemoryError):
        return None


def choose(record, contents=False):
    """Decide what runs, and write it down; return (slot, whether it is tried, its floor) or None.

    Each step is one write of `record`, and can be repeated after a power cut at any place. On a
    flash that takes no writes any more nothing is tried. contents: read the files of what was
    confirmed, too.
    """
    if record.state == _TRIAL:
        reason = _TRIES
        # counted before it begins: it may never come to an end
        if record.tries and written(record.spend):
            found = check(_slot(record.trial), record.digest, True)
            if found:
                return record.trial, True, found[1]
            reason = _DAMAGED
        _forget(_slot(record.trial) + "/manifest")  # it shall never be the other one
        written(record.roll_back, reason)
    # a record with the digest of a manifest vouches for it: its signature need not be read
    found = record.digest and check(_slot(record.active), record.digest, contents)
    if found and found[0] >= record.floor:
        return record.active, False, found[1]
    try:
        from particle.ota.rescue import recover

        return recover(sys.modules[__name__], record, particle.Cloud())
    except Exception as e:  # whatever it is: there is safe mode
        print("boot: cannot verify:", e)


def written(save, *args):
    """Write something down; return whether that went well."""
    try:
        save(*args)
        return True
    except OSError as e:
        print("boot: cannot write:", e)
        return False


def _slot(number):
    return root + "/" + "ab"[number]


def _get(name):
    try:
        with open(root + "/" + name, "rb") as f:
            return f.read(_NOTE)
    except OSError:
        return None


def _put(name, data):
    try:
        os.mkdir(root)  # of a board that has never stored anything
    except OSError:
        pass
    with open(root + "/" + name, "wb") as f:
        f.write(data)


def _forget(path):
    try:
        os.remove(path)
    except OSError:
        pass


def _crashes(more):
    # how often the application that was confirmed has failed since it last ran well
    count = (_get("crashes") or b"\0")[0]
    if more:
        # not above the limit: a reset in safe mode gives it another chance, one
        count = min(count + more, _CRASHES)
        written(_put, "crashes", bytes((count,)))
    _forget(root + "/started")  # it is counted, or there is nothing to be counted
    return count


def start():
    """Run the application of this board. Returns when it ends, for the prompt."""
    global record, trial, floor, watchdog, root, path, version, slot
    import particle_board as board

    root = board.STORE_ROOT
    record = Record(root)
    cold = quiet = True
    bitten = False
    try:
        cause = machine.reset_cause()
        cold = quiet = cause == machine.PWRON_RESET
        quiet = cold or cause == machine.DEEPSLEEP_RESET
        # without that, or the file, any reset of the chip may look like a bite
        bitten = cause == machine.WDT_RESET and _get("reason") is None
    except AttributeError:
        pass
    # a clock that nobody has set counts the days from power-on
    day = b"%d" % (time.time() // _DAY_S)
    known = _get("checked") == day
    chosen = choose(record, cold or not known)
    if _get("safemode") is not None:
        _safe("as asked for", False)
    name = "app"
    if chosen:
        number, trial, floor = chosen
        path = _slot(number)
        slot = "." + path[-1]
        version = record.trial_version if trial else record.version
        if not (trial or known):
            written(
                _put, "checked", day
            )  # now, not before: what is damaged is found damaged again
    else:
        name = getattr(board, "FACTORY", None)  # a frozen application, until there is another
        if record.version or not name:
            _safe("there is no application that can run")
            return
    if not trial:
        # a bite, or a reset before it had run for a minute or reached the cloud: without a word
        if _crashes(bitten or not quiet and _get("started") is not None) >= _CRASHES:
            _crashes(-1)
            _safe("the application has failed 8 times")
            return
        if not quiet:
            written(_put, "started", b"")
    if trial or getattr(board, "WDT_ALWAYS", False):
        timeout = getattr(board, "WDT_MS", _WDT_MS)
        if timeout:
            watchdog = machine.WDT(timeout=timeout)
    begin = time.ticks_ms()
    error = None
    try:
        load(path, name)
    except BaseException as e:
        error = e
    ended = isinstance(error, SystemExit)
    bad = isinstance(error, Exception)
    if bad:
        sys.print_exception(error)
    if not trial:
        # to end is nothing bad, but nothing that may go on and on
        short = time.ticks_diff(time.ticks_ms(), begin) < _SHORT_MS
        _crashes(bad or ended and short)
    # one that is tried has to be served, in the background if it has come to its end
    if bad or trial and (ended or not (error or client and client._timer)):
        machine.reset()
    if error:
        raise error


def _safe(why, needed=True):
    print("boot:", why)
    particle.system.safe_mode(needed)
