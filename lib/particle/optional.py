"""What a client has besides its core: the verbs that are seldom needed, and their state."""

import gc
import os
import sys

from micropython import const

from .errors import Error

_NOT_SUPPORTED = const(-120)
_NOT_IMPLEMENTED = const(0xA1)  # response code
_OTA_3 = const(0x80)  # flag of the Hello: updates of version 3
_CHUNK = const(1136)  # bytes of a chunk of an update, at most (cloud-protocol 5.2.1)
_ROOMY = const(65536)  # bytes of free memory
_CELLULAR_S = const(1380)  # between pings (cloud-protocol 3.7)
_STEP = const(256)  # numbers reserved with one write to flash
_UNKNOWN = const(0xFFFF)  # id of a product
_INSIDE_TASKS = "run_forever", "_finish", "_pause", "_begin"


class More:
    """State of limiter, system and verbs of one client."""

    def __init__(self):
        self.recent = []  # ticks of the last attempts to publish
        self.window = self.sent = 0  # system events in this window of 65.536 s
        self.asked = {}  # what the cloud was asked for -> the waiting operation
        self.options = False, 30, False  # of disconnect
        self.watchers = []  # of system events
        self.vitals = None  # the job that sends them
        self.time_synced = 0, 0
        self.queue = None  # of persisted events, when there ever was one
        self.retained = None
        self.reasons = {}  # of full handshakes -> how many
        self.safe = False  # in safe mode
        self.updates_enabled = True
        self.updates_forced = self.updates_pending = self.signal = False
        self.updating = None  # what receives updates, once there was one
        self.trial = None  # of the application that the boot stage has started
        self.reset_enabled = True  # when an update is complete
        self.reset_pending = False
        self.reason = None  # of the last reset, "" when it is that of the hardware

    def back_up(self, client):
        """Have the session kept in backup memory too, and Wi-Fi used, on a board that has it."""
        if client._link is None and getattr(client._board, "NET", None) == "wifi":
            client._link = client.wifi.link
        if client._store.read("listen") is not None:  # as the last boot asked for
            from .listening import asked

            asked(client)
        boot = booted()
        if boot and self.trial is None:
            from .ota.trial import Trial
            from .runtime.system import restart, say

            def publish(now, name, data):
                return say(client, now, name, data)

            self.trial = Trial(client, boot, lambda now: restart(client, now), publish)
        if not hasattr(client._store, "step"):
            try:
                from .store.backup import backup
            except ImportError:
                return  # not installed: every session is on flash
            client._store = backup(client._store, client._board)

    def dialing(self, client, conn):
        """Tell a connection what it is made with; take up persisted events of earlier boots."""
        values = client._values
        conn.step = getattr(client._store, "step", _STEP)
        if client._link.kind == "cellular" and values["transport"] == "udp":
            conn.keep_alive = values.get("keep_alive", _CELLULAR_S)
        _hear_of_updates(client, conn)
        tell_modules(client, conn)
        try:
            if self.queue is None:
                os.stat(client._store.root + "/queue")
            client.queue.dialing(conn)
        except Error as e:
            print(e)
        except (AttributeError, OSError):
            pass  # there are none


def booted():
    """Return the boot stage that has chosen the application, None without one."""
    boot = sys.modules.get("particle_boot")
    return boot if boot and boot.record else None


def _hear_of_updates(client, conn):
    # the first message about an update loads what takes them all
    def message(now, m):
        more = client.more
        if more.updating is None or more.updating.conn is not conn:
            try:
                from .updating import Updating
            except ImportError:
                conn._refuse(m, _NOT_IMPLEMENTED)
                return
            more.updating = Updating(client)
        more.updating.message(now, m)

    for code, chars in ((2, "SCFusc"), (3, "u")):
        for char in chars:
            conn.on(code, char, message)
    device, sizes = conn._hello[:2]
    # chunks that come too early are kept: longer ones where there is memory for four
    if not hasattr(gc, "mem_free") or gc.mem_free() > _ROOMY:
        sizes = sizes[:3] + (_CHUNK,)
    if client._values["transport"] == "udp":
        device = device[:2] + (device[2] | _OTA_3, device[3])
    boot = booted()
    if boot and device[0] != _UNKNOWN and boot.version:
        device = (device[0], boot.version) + device[2:]
    conn._hello = (device, sizes) + conn._hello[2:]


def tell_modules(client, conn):
    """Describe what updates have brought, and its assets, to the cloud."""
    boot = booted()
    assets = ()
    try:
        if client._store.read("assets.lst"):
            from .ota.assets import stored

            assets = stored(getattr(client._store, "root", client._board.STORE_ROOT))
        record = client._store.read("module" + (boot.slot if boot else ""))
        firmware = getattr(boot, "firmware", None)
        if record or firmware:
            from .wire.describe import installed

            sizes = conn._hello[1]
            values = client._values
            text = values["transport"] == "tcp"
            if firmware:
                firmware = values["platform_id"], firmware.runs()
            about = installed(record, sizes[0], sizes[2], text, assets, firmware)
            conn.describe(0, 1, *about)
    except (ImportError, ValueError, Error) as e:
        print("no description of the application:", e)


def find(client, name):
    """Return what `client.NAME` is when the core does not have it. Raises AttributeError."""
    if name == "more":
        client.more = More()
        return client.more
    if name == "_store":
        client._store = _store(client._board)
        return client._store
    if name in _INSIDE_TASKS:
        from .tasks import VERBS

        return lambda *args: VERBS[name](client, *args)
    if name == "queue":
        return _queue(client)
    if name == "retained":
        return _retained(client)
    if name == "wifi":
        try:
            from .wireless import Wifi
        except ImportError as e:
            raise AttributeError(
                "wifi: install the components wifi and networks (%s)" % e
            ) from None
        client.wifi = Wifi(client)
        return client.wifi
    if name == "led":
        try:
            from .runtime.led import Led
        except ImportError:
            raise AttributeError("led: install the component led") from None
        client.led = Led(client)
        return client.led
    if name == "setup":
        try:
            from .listening import Setup
        except ImportError as e:
            raise AttributeError("setup: install the component setup (%s)" % e) from None
        client.setup = Setup(client)
        return client.setup
    from .verbs import find as verb

    return verb(client, name)


def _store(board):
    # where the profile says, never on FAT
    try:
        from .store.place import open_store
    except ImportError:
        if getattr(board, "STORE", "littlefs") != "littlefs":
            raise ImportError("STORE: install the component networks") from None
        from .store.container import Store

        return Store(board.STORE_ROOT)
    return open_store(board)


def _retained(client):
    more = client.more
    if more.retained is None:
        from .store.backup import memory
        from .store.retained import Retained

        more.retained = Retained(memory(client._board) or client._store)
    return more.retained


def _queue(client):
    # what sends the persisted events
    if client.more.queue is None:
        if not client._store.root:
            raise Error(_NOT_SUPPORTED, "persist: this board's store has no folder", "store")
        try:
            from .persisted import Sender
        except ImportError:
            raise Error(_NOT_SUPPORTED, "persist: the component queue is not installed") from None
        client.more.queue = Sender(client)
    return client.more.queue
