"""Mistakes that everybody makes once: refused at once, with words that tell what to do."""

import asyncio
import sys

import particle
from fake_cloud import connected, make
from particle import Error
from particle.client import now
from particle.session.messaging import diff
from support import folder, raises


class Said:
    """What is printed while it lasts; MicroPython cannot redirect sys.stdout."""

    def __enter__(self):
        import builtins

        self.lines = []
        self._print = builtins.print
        builtins.print = lambda *what, **more: self.lines.append(" ".join([str(w) for w in what]))
        return self.lines

    def __exit__(self, *error):
        import builtins

        builtins.print = self._print


def test_a_handler_that_cannot_be_called():
    c, link = make()
    for bad in (5, "led", True, [], object()):
        e = raises(ValueError, c.function, "led", bad)
        assert "led" in str(e) and "cannot be called" in str(e)
        raises(ValueError, c.subscribe, "door", bad)
    assert not c._functions and not c._handlers
    assert c.function("led", print) is True and c.subscribe("door", print) is True
    # as decorators they hand the function back
    assert c.function("a")(now) is now and c.subscribe("b")(now) is now
    assert c.variable("v", type=int)(now) is now


def test_data_that_json_cannot_say():
    c, link = connected()
    nan = float("nan")
    for bad in (
        {"t": nan},
        {"t": [1, {"u": float("inf")}]},
        [-float("inf")],
        {1: 2},
        {"raw": b"\x00"},
        [object()],
        object(),
        {"a": {1, 2}},
        len,
    ):
        e = raises(ValueError, c.publish, "t", bad)
        assert str(e).startswith("data: ")
    assert link.take("E") == []
    assert c.more.recent == []  # what is refused does not count as an attempt
    assert c.publish("t", {"a": [1, 2.5, None, True, "x", {"b": (3,)}]}, ack=True)
    assert link.take("E")[0].payload == b'{"a": [1, 2.5, null, true, "x", {"b": [3]}]}'


def test_timeouts_that_are_none():
    c, link = make()
    for bad in (-1, "a", float("nan"), [], -0.5):
        e = raises(ValueError, lambda bad=bad: c.connect(timeout=bad))
        assert "timeout: seconds" in str(e)
        raises(ValueError, c.wait_until, lambda: True, bad)
    assert link.opened == 0
    assert c.connect(timeout=float("inf"), background=False)
    raises(ValueError, lambda: c.publish("t", timeout=-1))
    assert c.wait_until(lambda: True, 1e12)
    for bad in (-1, "a", float("nan")):
        raises(ValueError, lambda bad=bad: c.disconnect(graceful=True, timeout=bad))
        raises(ValueError, lambda bad=bad: c.set_disconnect_options(timeout=bad))
        raises(ValueError, c.publish_vitals, bad)
        raises(ValueError, c.get_name, bad)
        raises(ValueError, c.flush, bad)
    assert c.connected() and not c._jobs
    assert link.take("E") == []


def test_no_time_at_all_names_the_stage():
    c, link = make()
    e = raises(Error, lambda: c.connect(timeout=0, background=False))
    assert e.errno == -160 and e.stage == "DNS" and "DNS: no answer in time" in str(e)
    # a traceback of MicroPython shows the arguments
    assert "DNS: no answer in time" in repr(e)


def test_waiting_in_a_task_says_what_to_do():
    c, link = make()

    async def main():
        return str(raises(Error, c.run)), str(raises(Error, c.wait_until, c.connected, 1))

    for text in asyncio.run(main()):
        assert "use await" in text


def test_what_the_prompt_shows():
    c, link = make()
    v = c.variable("temp", 21.5)
    assert repr(v) == "<Variable temp 21.5>"
    assert repr(c.variable("up", now, type=int)).startswith("<Variable up <")
    assert repr(c.variable("name", "porch")) == "<Variable name 'porch'>"
    stream = c.events("door")
    assert repr(stream) == "<EventStream door, 0 waiting, 0 discarded>"
    c._deliver(now(), "door/front", b"open", 0)
    assert repr(stream) == "<EventStream door, 1 waiting, 0 discarded>"
    assert repr(stream._queue[0]) == "<Event door/front 'open'>"


def test_the_time_out_of_a_publish_is_waited_for_once():
    c, link = connected()
    link.acks = False
    start = now()
    p = c.publish("a", "1", ack=True, timeout=2)
    first = diff(now(), start)
    assert first > 1900 and not p.done()
    waited = []
    c._idle = waited.append
    assert not p and not bool(p) and not waited
    link.acks = True


def test_text_over_the_limit_is_an_error_of_the_read():
    c, link = connected()
    v = c.variable("long", "x" * 1024)
    assert len(v.encode(1024)) == 1024
    v.value = "\u00f6" * 513
    e = raises(Error, v.encode, 1024)
    assert e.errno == -190 and "long" in str(e) and "1026" in str(e)


def test_the_console_tells_when_it_is_tried_again():
    c, link = make()
    opened = link.open

    def twice(kind):
        link.refuses = link.opened < 2
        return opened(kind)

    link.open = twice
    with Said() as lines:
        c.connect(timeout=30, background=False)
    failed = [line for line in lines if "firewall" in line]
    assert len(failed) == 2, lines
    assert all(line.endswith("; again in 1 s") for line in failed), lines


def test_exit_and_interrupt_pass_through_a_handler():
    # Ctrl-C and sys.exit() are the program's business; all else stays in the handler
    c, link = make()

    def stop(text):
        if text == "exit":
            sys.exit(3)
        raise KeyboardInterrupt

    c.function("stop", stop)
    c.connect(timeout=30, background=False)
    for text, wanted in ((b"exit", SystemExit), (b"now", KeyboardInterrupt)):
        link.say(b"\x41\x02\x07\xb1f\x04stop" + bytes([0x40 | len(text)]) + text)
        raises(wanted, c.wait_until, lambda: False, 5)
        assert not c._busy and c.connected()


def test_a_lifetime_that_is_none():
    c, link = connected()
    c._store.root = folder("newcomer-ttl")
    for bad in (-1, 0x1000000, "60", 1.5, 10**30):
        for options in ({}, {"persist": True}):
            options["ttl"] = bad
            e = raises(ValueError, lambda options=options: c.publish("t", **options))
            assert str(e).startswith("ttl: 0 to 16777215 s, not ")
    assert c.more.recent == [] and link.take("E") == []
    assert c.publish("t", ttl=0, ack=True) and c.publish("t", ttl=0xFFFFFF, ack=True)
    assert c.publish("t", ttl=None, ack=True)


def test_a_content_type_that_is_none():
    c, link = connected()
    c._store.root = folder("newcomer-type")
    for bad in (-1, 0x10000, "json", 1.5):
        for options in ({}, {"persist": True}):
            options["content_type"] = bad
            e = raises(ValueError, lambda options=options: c.publish("t", **options))
            assert str(e).startswith("content_type: 0 to 65535, not ")
    assert link.take("E") == []
    assert c.publish("t", content_type=0xFFFF, ack=True) and c.publish("t", content_type=0)


def test_a_number_that_is_too_large():
    c, link = connected()
    e = raises(ValueError, c.variable, "count", 1 << 40)
    assert str(e) == "variable count: 1099511627776 does not fit 32 bits"
    v = c.variable("rooms", 3)
    for bad in (-1 << 40, "many"):
        assert str(raises(ValueError, setattr, v, "value", bad)).startswith("variable rooms: ")
    assert v.value == 3


def test_a_claim_that_cannot_be_read_does_not_break_the_line():
    c, link = make()
    get = c._store.get

    def damaged(kind):
        if kind == 4:
            raise Error(-280, "claim is damaged", "store")
        return get(kind)

    c._store.get = damaged
    with Said() as lines:
        c.connect(timeout=30, background=False)
    (at,) = [i for i, line in enumerate(lines) if "claim" in line]
    assert lines[at].startswith("store: claim is damaged") and "connected as" in lines[at - 1]


def test_a_network_whose_name_is_no_text():
    """Any bytes may be one, and there is none while the board joins another."""
    for ssid, text in ((b"caf\xe9", "b'caf\\xe9'"), (None, "None"), (b"Home", "Home")):
        c, link = make()
        link.kind = "wifi"
        c.wifi = type("Wifi", (), {"ssid": ssid})
        with Said() as lines:
            c.connect(timeout=30, background=False)
        (line,) = [line for line in lines if line.startswith("wifi: ")]
        assert line.split(" ")[1] == text, line


def test_data_within_itself():
    c, link = connected()
    endless = []
    endless.append(endless)
    for bad in (endless, {"a": endless}):
        e = raises(ValueError, c.publish, "t", bad)
        assert str(e) == "data: nested more than 20 deep"
    deep = 1
    for _ in range(20):
        deep = [deep]
    assert c.publish("t", deep, ack=True)
    raises(ValueError, c.publish, "t", [deep])


def test_a_name_of_a_component_that_is_not_installed():
    if sys.implementation.name != "cpython":  # whose sys.modules knows "not installed"
        return
    kept = {}
    for name in ("particle.runtime.names", "particle.optional"):
        kept[name] = sys.modules.get(name)
        sys.modules[name] = None
    try:
        for look in (lambda: particle.WITH_ACK, lambda: make()[0].diagnose):
            assert str(raises(AttributeError, look)).endswith(": install the component repl")
    finally:
        for name, module in kept.items():
            del sys.modules[name]
            if module:
                sys.modules[name] = module


def test_persisted_events_are_diagnosed():
    c, link = make()
    assert "queue" not in [stage for stage, _, _ in c.diagnose()]
    c._store.root = folder("newcomer-queue")
    c.publish("kept", "1", persist=True)
    rows = {stage: (ok, text) for stage, ok, text in c.diagnose()}
    assert rows["queue"] == (None, "1 persisted events wait, 0 dropped")
