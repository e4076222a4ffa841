"""The JSON of softAP (setup-protocols 2.4): one object whose values are numbers or strings."""

from micropython import const

_SPACE = const(b" \t\r\n")
_WORDS = const((b"true", b"false", b"null"))
_MARKS = const(b'"\\/btnfr')
_MEANT = const(b'"\\/\b\t\n\f\r')


def quoted(octets):
    """Return bytes as a JSON string with its quotes; what is no UTF-8 stays as it is."""
    out = bytearray(b'"')
    for octet in octets:
        if octet < 32:
            out += b"\\u%04x" % octet
        elif octet in b'"\\':
            out += bytes((92, octet))
        else:
            out.append(octet)
    return bytes(out + b'"')


def members(body, texts, numbers=()):
    """Return {name: value} of the object `body`; texts, numbers: names of its strings and numbers.

    Strings are bytes with their escapes (see `unescaped`). Numbers are read as C's atoi does; the
    words true, false and null count as 0. Raises ValueError when it is no such object, not whole,
    or has an unknown name or a value of another kind.
    """
    found = {}
    at = _skip(body, 0)
    if body[at : at + 1] != b"{":
        raise ValueError("{")
    at = _skip(body, at + 1)
    while body[at : at + 1] != b"}":
        if found:
            if body[at : at + 1] != b",":
                raise ValueError(",")
            at = _skip(body, at + 1)
        end = _string(body, at)
        name = str(bytes(body[at + 1 : end - 1]), "utf-8")
        at = _skip(body, end)
        if body[at : at + 1] != b":":
            raise ValueError(name)
        at = _skip(body, at + 1)
        if body[at : at + 1] == b'"':
            end = _string(body, at)
            value = bytes(body[at + 1 : end - 1])
            known = texts
        else:
            end = at
            while end < len(body) and body[end] not in b",} \t\r\n":
                end += 1
            value = _number(bytes(body[at:end]))
            known = numbers
        if name not in known:
            raise ValueError(name)
        found[name] = value
        at = _skip(body, end)
    if _skip(body, at + 1) != len(body):
        raise ValueError("}")
    return found


class Ending:
    """Look for the end of an object that comes in pieces; each byte is looked at once."""

    def __init__(self):
        self._at = self._depth = 0
        self._inside = False  # a string

    def reached(self, body):
        """Tell whether nothing is missing at the end of `body`: what is in it may be wrong.

        body: what came before, and more.
        """
        at = self._at
        while at < len(body):
            if self._inside:
                at = body.find(b'"', at)
                if at < 0:
                    break
                self._inside = _escaped(body, at)
            else:
                octet = body[at]
                self._inside = octet == 34
                self._depth += (octet in b"{[") - (octet in b"}]")
            at += 1
        self._at = len(body)
        return self._depth <= 0 and not self._inside


def unescaped(text):
    """Return bytes without the escapes of JSON; one that is none stays as it is."""
    if b"\\" not in text:
        return text
    out = bytearray()
    at = high = 0
    while at < len(text):
        octet = text[at]
        at += 1
        if octet != 92 or at == len(text):
            out.append(octet)
            continue
        mark = text[at]
        at += 1
        if mark == 117:
            try:
                code = int(str(text[at : at + 4], "ascii"), 16)
            except ValueError:
                out += b"\\u"
                continue
            at += 4
            if 0xD800 <= code < 0xDC00:
                high = code
                continue
            if high and 0xDC00 <= code < 0xE000:
                code = 0x10000 + (high - 0xD800 << 10) + code - 0xDC00
            high = 0
            if not 0xD800 <= code < 0xE000:
                out += chr(code).encode()
        elif mark in _MARKS:
            out.append(_MEANT[_MARKS.find(bytes((mark,)))])
        else:
            out += bytes((92, mark))
    return bytes(out)


def _skip(body, at):
    while at < len(body) and body[at] in _SPACE:
        at += 1
    return at


def _string(body, at):
    # -> where the string that begins at `at` ends, behind its quote
    if body[at : at + 1] != b'"':
        raise ValueError('"')
    end = at
    while True:
        end = body.find(b'"', end + 1)
        if end < 0:
            raise ValueError('"')
        if not _escaped(body, end):
            return end + 1


def _escaped(body, at):
    # -> whether the quote there, in a string, does not end it
    before = at
    while body[before - 1] == 92:
        before -= 1
    return (at - before) & 1 > 0


def _number(text):
    if text in _WORDS:
        return 0
    sign = -1 if text[:1] == b"-" else 1
    digits = 0
    if sign < 0:
        text = text[1:]
    while digits < len(text) and text[digits : digits + 1].isdigit():
        digits += 1
    if not 0 < digits <= 10:
        raise ValueError("number")
    return sign * int(text[:digits])
