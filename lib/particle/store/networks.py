"""The Wi-Fi networks that a board knows (device-api 6, setup-protocols 7.1): kind 2 of the store.

One record for all of them, so that every change is one write: fields of tag u8,
length u8, value; first the options of the board, then network by network, each
from its SSID on. Unknown fields are kept. Passwords leave this file by
`password` only: a `Network` has none.
"""

import binascii

from micropython import const

from ..errors import Error

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)

_KIND = const(2)  # of the container
_MOST = const(10)  # networks

# tags
_SSID = const(1)
_HOW = const(2)  # security, cipher, hidden, channel: a byte each
_PASSWORD = const(3)
_STATIC = const(4)  # address, mask, gateway, name server: 4 bytes each
_BSSID = const(5)
_EAP = const(6)  # type, number of the file of certificates or 255
_SEALED = const(255)  # store/sealed.py

# Security of Device OS (hal/inc/wlan_hal.h)
_OPEN = const(0)
_WEP = const(1)
_WPA3 = const(6)
_NOT_SET = const(255)
_NAMES = const(("open", "wep", "wpa", "wpa2", "wpa-enterprise", "wpa2-enterprise", "wpa3"))

_LEAST = const(b"\xff\1\4\0\x10\6\2\0\0")  # bytes of a field, by tag
_HOWS = const(("security", "cipher", "hidden", "channel"))
_ATTRIBUTES = const(
    (None, "ssid", None, None, "static", "bssid", "eap", "identity", "outer_identity")
)  # by tag
_DAMAGED = const("wifi is damaged: set the networks again")

# what a board keeps besides, from this tag on, and most bytes of each
_OPTION = const(64)
_OPTIONS = const(("antenna", "hostname", "country", "static", "flags"))
_LARGEST = const(b"\1\x20\2\x10\4")


def fields(data):
    """Yield (tag, value, start, end) of each field; raise `Error(BAD_DATA)`."""
    at = 0
    while at < len(data):
        end = at + 2 + data[at + 1] if at + 1 < len(data) else len(data) + 1
        if data[at] == _SEALED:
            raise Error(_BAD_DATA, "wifi is sealed: this board's key is needed", "store")
        if end > len(data):
            raise Error(_BAD_DATA, _DAMAGED, "store")
        yield data[at], data[at + 2 : end], at, end
        at = end


def field(tag, content):
    """Return one field as it is stored; None gives nothing."""
    return b"" if content is None else bytes((tag, len(content))) + content


def octets(what, content, least, most):
    """Return text or bytes as bytes; raise ValueError that names `what`, never the value."""
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, (bytes, bytearray)) or not least <= len(content) <= most:
        raise ValueError("%s: text or bytes, %d to %d" % (what, least, most))
    return bytes(content)


def addresses(static):
    """Return (address, mask, gateway, name server) as 16 bytes; raise ValueError."""
    try:
        parts = [[int(n) for n in address.split(".")] for address in static]
        out = b"".join(map(bytes, parts))
        if list(map(len, parts)) == [4, 4, 4, 4]:
            return out
    except (AttributeError, TypeError, ValueError):
        pass
    raise ValueError("static address: four texts such as 192.168.1.5: address, mask, gateway, DNS")


def value(entry, wanted, absent=None):
    """Return the content of the field `wanted` of whole fields, or `absent`."""
    for tag, content, _, _ in fields(entry):
        if tag == wanted:
            return content
    return absent


class Network:
    """A network as it is stored, without its secrets.

    ssid: bytes. bssid: bytes or None. security, cipher: ids of Device OS, 255 and 0 = not set.
    hidden: no scan shows it. channel: 0 = any. static: (address, mask, gateway, name server) or
    None. eap: 13 TLS, 25 PEAP, or 0. identity, outer_identity: bytes or None.
    """

    def __init__(self, entry):
        kept = [entry[at:end] for tag, _, at, end in fields(entry) if tag != _PASSWORD]
        self._entry = b"".join(kept)

    # what is asked for is read from the entry: ten of them as attributes would take 2 kB more
    def __getattr__(self, name):
        if name in _HOWS:
            n = value(self._entry, _HOW, bytes(4))[_HOWS.index(name)]
            return n > 0 if name == "hidden" else n
        if name not in _ATTRIBUTES:
            raise AttributeError(name)
        found = value(self._entry, _ATTRIBUTES.index(name))
        if name == "eap":
            return found[0] if found else 0
        if name == "static" and found:
            return tuple(["%d.%d.%d.%d" % tuple(found[i : i + 4]) for i in range(0, 16, 4)])
        return found

    def __repr__(self):
        n = self.security
        name = _NAMES[n] if n < len(_NAMES) else "any security"
        return "<Network %r %s%s>" % (self.ssid, name, " hidden" if self.hidden else "")


class Networks:
    """The list of them, the one to try first in front; store: of the board (store/place.py).

    Nothing is kept in memory. Reading raises `Error(BAD_DATA)` for a damaged record, which the
    next `add` or `clear` replaces, and `ConfigError` for one of a newer version, which is kept.
    """

    def __init__(self, store):
        self.store = store

    def _load(self, mend=False):
        # -> options, [entry of each network]
        parts = [b""]
        try:
            data = self.store.get(_KIND) or b""
            for tag, content, at, end in fields(data):
                if tag == _SSID:
                    parts.append(b"")
                parts[-1] += data[at:end]
                if tag < 9 and len(content) < _LEAST[tag]:
                    raise Error(_BAD_DATA, _DAMAGED, "store")
        except Error as e:
            # what is sealed, or of a newer version, is whole
            if not mend or type(e) is not Error or "damaged" not in e.text:
                raise
            return b"", []
        return parts[0], parts[1:]

    def _save(self, options, entries):
        self.store.put(_KIND, options + b"".join(entries))
        self._tidy(entries)

    def _tidy(self, entries):
        # certificates that no network refers to: of one that is gone, or never got that far
        used = [value(e, _EAP, b"\0\xff")[1] for e in entries]
        for number in (0, 1):
            if number not in used:
                self.store.remove("wifi.eap%d" % number)

    def __iter__(self):
        for entry in self._load()[1]:
            yield Network(entry)

    def __len__(self):
        return len(self._load()[1])

    def password(self, ssid):
        """Return the password as bytes, None for an open or unknown network."""
        ssid = octets("ssid", ssid, 1, 32)
        for entry in self._load()[1]:
            if value(entry, _SSID) == ssid:
                return value(entry, _PASSWORD)
        return None

    def add(
        self,
        ssid,
        password=None,
        *,
        security=None,
        cipher=None,
        hidden=False,
        channel=None,
        bssid=None,
        static=None,
        **eap,
    ):
        """Store a network in one write; return the SSID that had to go for it, or None.

        A known SSID is replaced where it is; a new one comes first, and of more than ten the last
        is dropped. eap: keywords of device-api 6 for an enterprise network, of which there is one
        (store/enterprise.py). Raises ValueError, `Error(FILE)`, `ConfigError`; then nothing has
        changed.
        """
        ssid = octets("ssid", ssid, 1, 32)
        password = octets("password", "" if password is None else password, 0, 64) or None
        static = static and addresses(static)
        bssid = bssid and octets("bssid", bssid, 6, 6)
        cipher, channel = cipher or 0, channel or 0
        if cipher not in range(4) or channel not in range(197):
            raise ValueError("cipher: 0 to 3, channel: 1 to 196")
        options, entries = self._load(True)
        if eap or security in (4, 5):
            from .enterprise import stored

            security, more, entries = stored(self.store, entries, ssid, security, password, eap)
        else:
            security = _checked(security, password)
            more = b""
        how = bytes((security, cipher, 1 if hidden else 0, channel))
        entry = field(_SSID, ssid) + field(_HOW, how) + field(_PASSWORD, password)
        entry += field(_STATIC, static) + more + field(_BSSID, bssid)
        names = [value(e, _SSID) for e in entries]
        if ssid in names:
            entries[names.index(ssid)] = entry
        else:
            entries.insert(0, entry)
        self._save(options, entries[:_MOST])
        return names[-1] if len(entries) > _MOST else None

    def used(self, ssid):
        """Note that this network works: it comes first. Writes only when it was not."""
        options, entries = self._load()
        for i, entry in enumerate(entries):
            if i and value(entry, _SSID) == ssid:
                self._save(options, [entries.pop(i)] + entries)
                return

    def remove(self, ssid):
        """Forget one network; tell whether there was one."""
        ssid = octets("ssid", ssid, 1, 32)
        options, entries = self._load()
        kept = [e for e in entries if value(e, _SSID) != ssid]
        if len(kept) == len(entries):
            return False
        self._save(options, kept)
        return True

    def clear(self):
        """Forget all networks and what belongs to them; the options stay."""
        options, _ = self._load(True)
        self._save(options, [])

    def option(self, name, *new):
        """Return an option of the board as bytes or None; with a value store it, None = default.

        name: antenna, hostname, country, static, flags. Raises ValueError.
        """
        number = _OPTIONS.index(name)
        tag = _OPTION + number
        options, entries = self._load(len(new) > 0)
        found = value(options, tag)
        if not new:
            return found
        content = None if new[0] is None else octets(name, new[0], 1, _LARGEST[number])
        if content != found:
            others = [options[at:end] for t, _, at, end in fields(options) if t != tag]
            self._save(b"".join(others) + field(tag, content), entries)
        return content


def _checked(security, password):
    # -> the id to store
    if security is None:
        security = _NOT_SET if password else _OPEN
    elif type(security) is not int or not (0 <= security <= _WPA3 or security == _NOT_SET):
        raise ValueError("security: 0 open, 1 WEP, 2 WPA, 3 WPA2, 6 WPA3")
    n = len(password or b"")
    if security == _OPEN:
        if n:
            raise ValueError("password: an open network has none")
    elif security == _WEP:
        if not 5 <= n <= 58:
            raise ValueError("password: 5 to 58 bytes for WEP")
    elif n < 8:
        raise ValueError("password: 8 to 63 bytes, or 64 hex digits; WEP has security=1")
    elif n == 64:
        try:
            binascii.unhexlify(password)
        except ValueError:
            raise ValueError("password: 64 bytes must be hex digits, the key itself") from None
    return security
