"""What the prompt shows of things that a user can hold: what they are and what they know."""

import sys

import particle
from fake_cloud import connected, make
from particle.operation import now
from particle.runtime import clock, power, vitals
from particle.runtime.events import Subscription


def helpful(thing, *parts):
    """Assert that the prompt shows these parts of a thing, on one line, and no address."""
    text = repr(thing)
    assert "object at" not in text and " at 0x" not in text and "\n" not in text, text
    for part in parts:
        assert part in text, text
    return text


def test_verbs_say_how_they_are_used():
    shown = helpful(particle.connect)
    assert shown.startswith("connect(timeout=None, *, background=True)  connect, wait")
    helpful(particle.publish, "publish(name, data=None, *, ack=None, ttl=60")
    helpful(particle.usage, "usage()  dict of")


def test_a_client_says_where_it_stands():
    c, link = make()
    helpful(c, "<Cloud ", c.device_id, " tcp 10.0.0.1 not connected, 0 operations")
    c, link = connected()
    c.publish("t")
    for days in (0, 3, 7, 12):  # ticks go round in 12.4
        c._conn._since = (now() - days * 86400000) & 0x3FFFFFFF
        text = helpful(c, " s, 1 operations, encrypted without a MAC>")
        seconds = int(text.split(" connected for ")[1].split(" ")[0])
        assert 0 <= seconds - days * 86400 < 60, text


def test_the_core_alone_has_a_prompt_too():
    """There a verb is a method, whose client is shown with it."""
    if sys.implementation.name != "cpython":  # whose sys.modules knows "not installed"
        return
    c, link = make()
    kept = sys.modules.get("particle.verbs")
    sys.modules["particle.verbs"] = None
    try:
        assert repr(c) == "<Cloud>" and "publish of <Cloud>" in repr(c.publish)
    finally:
        del sys.modules["particle.verbs"]
        if kept:
            sys.modules["particle.verbs"] = kept


def test_what_verbs_return():
    c, link = connected()
    link.acks = False
    op = c.publish("hello", "world")
    helpful(op, "<Publish hello ")
    assert c.publish("hello", "world", ack=False)
    link.acks = True
    op = c.publish("hello", "world", ack=True)
    shown = helpful(op, "<Publish hello sent ")
    assert shown.endswith(" ms>")
    helpful(c.variable("temp", 21.5), "<Variable temp 21.5>")
    helpful(c.events("a/"), "<EventStream a/, 0 waiting, 0 discarded>")
    helpful(particle.Event("a", "b", 0), "<Event a 'b'>")
    helpful(particle.ConfigError(-270, "no server", "DNS"), "DNS: no server")


def test_objects():
    c, link = connected()
    helpful(c.led, "<Led CLOUD_CONNECTED, no driver>")
    c.led.driver(lambda *rgb: None)
    helpful(c.led, "<Led CLOUD_CONNECTED>")
    on = Subscription(c, particle.RESET | particle.CLOUD_STATUS, print)
    helpful(on, "<Subscription CLOUD_STATUS RESET>")
    on.off()
    helpful(on, "CLOUD_STATUS RESET, off>")
    s = power.System()
    s.default = lambda: c
    c.more.reason = "watchdog"
    helpful(s, "<System: reset reason 60 (watchdog), updates enabled>")
    c.more.safe = True
    helpful(s, "110 (safe_mode)")


def test_time_and_vitals():
    c, link = connected()
    kept = clock.now, vitals.default
    try:
        clock.now = lambda: 1000
        helpful(particle.time, "<time: not set>")
        clock.now = kept[0]
        shown = helpful(particle.time, "<time")
        assert shown.endswith(" UTC>") or shown == "<time: not set>"
        assert particle.time.valid() is clock.valid()
        looked = particle.vitals  # of the default client, which this is not
        vitals.default = lambda: c
        helpful(looked, "<vitals ", "'cloud:stat': 2")
    finally:
        clock.now, vitals.default = kept
