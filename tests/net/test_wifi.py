"""Wi-Fi comes up by itself and says why not, on ports of both kinds."""

from particle.errors import Error
from particle.net.wifi import WifiLink, security
from radio import HOME, SOURCE, Entry, Known, Radio
from support import raises

STATES = ("OFF", "STARTING", "JOINING", "ADDRESS", "READY", "FAILED")
PORTS = ("esp32", "rp2") if SOURCE else ()
GOOD = b"correct horse"


def world(port, known, *air, **options):
    """Return a radio and a link that is up."""
    radio = Radio(port, *air)
    link = WifiLink(known, radio, **options)
    link.up()
    return radio, link


def run(radio, link, wanted, seconds=70):
    """Let time pass until the link has a state; return the states on the way."""
    seen = []
    clock = radio.clock
    end = clock.ms + seconds * 1000
    while clock.ms < end:
        state = STATES[link.step(clock.ms)]
        if not seen or seen[-1] != state:
            seen.append(state)
        if state == wanted:
            return seen
        clock.ms += 50
    raise AssertionError("not %s: %s, %s" % (wanted, seen, link.error))


def fails(port, known, *air, **options):
    """Return the error of a link that does not come up."""
    radio, link = world(port, known, *air, **options)
    assert "READY" not in run(radio, link, "FAILED", 40)
    assert isinstance(link.error, Error) and link.error.stage == "link"
    return link.error


def test_only_the_wanted_network_is_joined():
    for port in PORTS:
        known = Known(Entry(b"Home", b"wrong word"), Entry(b"Office", GOOD))
        air = HOME, dict(HOME, ssid="Office", rssi=-40)
        radio, link = world(port, known, *air)
        link.only = b"Home"
        run(radio, link, "FAILED", 40)
        assert link.why == "password" and link.trying.ssid == b"Home"
        link.only = None
        run(radio, link, "READY", 40)
        assert link.trying.ssid == b"Office"


def test_one_network():
    for port in PORTS:
        known = Known(Entry(b"Home", GOOD))
        radio, link = world(port, known, HOME)
        assert "FAILED" not in run(radio, link, "READY", 3)
        assert link.error is None and known.worked == [b"Home"]
        assert link.info() == ("192.168.4.2", "255.255.255.0", "192.168.4.1", "192.168.4.1")
        assert link.signal() == -60
        link.up()
        assert STATES[link.step(radio.clock.ms)] == "READY" and link.deadline()
        link.down()
        assert STATES[link.step(radio.clock.ms)] == "OFF" and link.deadline() is None
        assert not link.wlan.active() and link.signal() is None
        link.up()
        run(radio, link, "READY", 3)


def test_the_strongest_known_one_first():
    for port in PORTS:
        air = [dict(HOME, ssid="n%d" % i, rssi=-80 + 10 * i) for i in range(4)]
        known = Known(Entry(b"gone", GOOD), Entry(b"n0", GOOD), Entry(b"n2", GOOD))
        radio, link = world(port, known, HOME, *air)
        run(radio, link, "READY", 3)
        assert known.worked == [b"n2"]
        # when it lets nobody in, the next one
        air[2]["password"] = "changed"
        run(radio, link, "JOINING", 3)
        run(radio, link, "READY", 30)
        assert known.worked == [b"n2", b"n0"]


def test_hidden_one_and_ssid_of_any_bytes():
    for port in PORTS:
        odd = b"\xff\x00'\";\xc3("
        air = [{"ssid_hex": "ff0027223bc328", "password": "p" * 8, "hidden": True}]
        known = Known(Entry(odd, b"p" * 8, hidden=True), Entry(b"Home", GOOD))
        radio, link = world(port, known, *air)
        run(radio, link, "READY", 3)
        assert known.worked == [odd]


def test_reasons():
    for port in PORTS:
        home = Known(Entry(b"Home", GOOD))
        e = fails(port, Known(Entry(b"Home", b"wrong one")), HOME)
        assert e.errno == -130 and "wrong password" in str(e) and "Home" in str(e)
        assert "wrong one" not in str(e)
        e = fails(port, home)
        assert e.errno == -170 and "not found" in str(e)
        e = fails(port, home, dict(HOME, dhcp=False))
        assert e.errno == -160 and "DHCP" in str(e)
        e = fails(port, home, dict(HOME, dhcp=False, ip6=["fe80::1"]))
        assert "DHCP" in str(e)
        e = fails(port, home, dict(HOME, dhcp=False, ip6=["fe80::1", "2001:db8::5"]))
        assert e.errno == -120 and "IPv6 only" in str(e)
        e = fails(port, Known(Entry(b"Home", GOOD, channel=36)), dict(HOME, channel=36))
        assert e.errno == -120 and "5 GHz" in str(e) and "36" in str(e)
        e = fails(port, home, dict(HOME, channel=36))
        assert e.errno == -170 and "5 GHz" in str(e)
        e = fails(port, home, dict(HOME, security="open"))
        assert "refused" in str(e)
        e = fails(port, Known())
        assert "set_credentials" in str(e)
        corp = Entry(b"Corp", b"pass", eap=25)
        e = fails(port, Known(corp), dict(HOME, ssid="Corp", security="wpa2-enterprise"))
        assert e.errno == -120 and "EAP" in str(e)
        # of several reasons the one that something can be done about
        e = fails(port, Known(Entry(b"a", GOOD), Entry(b"Home", b"wrong one"), corp), HOME)
        assert "wrong password" in str(e)


def test_it_comes_back():
    for port in PORTS:
        known = Known(Entry(b"Home", GOOD))
        radio, link = world(port, known)
        run(radio, link, "FAILED")
        radio.clock.air["networks"] = [HOME]
        run(radio, link, "READY", 10)
        # the access point is switched off for an hour
        radio.clock.air["networks"] = []
        run(radio, link, "FAILED")
        for _ in range(60):
            radio.clock.ms += 60000
            link.step(radio.clock.ms)
        radio.clock.air["networks"] = [HOME]
        run(radio, link, "READY", 130)
        assert link.error is None


def test_pauses_grow_to_a_minute():
    for port in PORTS:
        radio, link = world(port, Known())
        pauses = []
        while len(pauses) < 9:
            link.step(radio.clock.ms)
            pauses.append(link.deadline() - radio.clock.ms)
            radio.clock.ms = link.deadline()
        assert pauses == [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]


def test_static_address():
    for port in PORTS:
        mine = ("10.0.0.9", "255.255.255.0", "10.0.0.1", "9.9.9.9")
        known = Known(Entry(b"Home", GOOD, static=mine))
        radio, link = world(port, known, dict(HOME, dhcp=False))
        run(radio, link, "READY", 3)
        assert link.info() == mine
        # of the board, for networks that have none
        link.down()
        known.networks = [Entry(b"Home", GOOD)]
        known.options = {
            "static": b"\x0a\x00\x00\x07\xff\xff\xff\x00\x0a\x00\x00\x01\x01\x01\x01\x01"
        }
        link.up()
        run(radio, link, "READY", 3)
        assert link.info()[0] == "10.0.0.7"
        # and DHCP again
        link.down()
        known.options = {"hostname": b"pump-7"}
        radio.clock.air["networks"] = [HOME]
        link.up()
        run(radio, link, "READY", 3)
        assert link.info()[0] == "192.168.4.2" and radio.hostname() == "pump-7"
        # a name that is no text must not end the program with every boot
        link.down()
        known.options = {"hostname": b"caf\xe9"}
        link.up()
        run(radio, link, "READY", 3)


def test_enterprise_with_an_eap_client():
    for port in PORTS:
        joined = []
        known = Known(Entry(b"Corp", b"pass", eap=25))
        radio = Radio(port, HOME)

        def join(wlan, n, password):
            joined.append((n.ssid, password))  # noqa: B023
            wlan.connect("Home", "correct horse")

        link = WifiLink(known, radio, join)
        link.up()
        run(radio, link, "READY", 3)
        assert joined == [(b"Corp", b"pass")]


def test_what_the_driver_says_is_no_end():
    for port in PORTS:
        radio, link = world(port, Known(Entry(b"Home", GOOD)), HOME)
        connect = link.wlan.connect

        def refuse(*_, **__):
            raise OSError("Wifi Internal Error")

        link.wlan.connect = refuse
        run(radio, link, "FAILED", 3)
        assert "Wifi Internal Error" in str(link.error) and link.why is None
        link.wlan.connect = connect
        run(radio, link, "READY", 10)


def test_it_is_looked_at_after_a_week_without_a_look():
    # ticks count half of 12.4 days in each direction
    for port in PORTS:
        for days in (1, 7, 13, 20):
            radio, link = world(port, Known(Entry(b"Home", GOOD)), HOME)
            run(radio, link, "READY", 3)
            radio.clock.air["networks"] = []
            radio.clock.ms += days * 86400000
            assert "JOINING" in run(radio, link, "FAILED", 30), days


def test_why_it_failed_before_is_not_why_the_driver_refuses():
    for port in PORTS:
        radio, link = world(port, Known(Entry(b"Home", b"wrong word")), HOME)
        run(radio, link, "FAILED", 40)
        assert link.why == "password"

        def refuse(*_, **__):
            raise OSError("Wifi Internal Error")

        link.wlan.connect = refuse
        radio.clock.ms += 2000
        link.step(radio.clock.ms)
        assert "Wifi Internal Error" in str(link.error) and link.why is None


def test_scan_in_the_words_of_device_os():
    kinds = "open wep wpa wpa2 wpa/wpa2 wpa2-enterprise wpa3 wpa2/wpa3".split()
    wanted = [(0, 0), (1, 0), (2, 3), (3, 1), (3, 3), (5, 1), (6, 1), (3, 1)]
    for port in PORTS:
        air = [dict(HOME, ssid=k, security=k, channel=1 + i) for i, k in enumerate(kinds)]
        link = WifiLink(Known(), Radio(port, dict(HOME, hidden=True), *air))
        found = link.scan()
        assert found[0] == (b"", b"\x02\xaa\xbb\xcc\xdd\xee", 6, -60, 3, 1, True)
        for i, ap in enumerate(found[1:]):
            assert ap[0] == kinds[i].encode() and ap[2] == 1 + i and not ap[6]
            if port == "esp32" or i < 5:
                assert ap[4:6] == wanted[i]
    assert security(99, False) == (255, 0)


if SOURCE:

    def test_the_module_is_as_documented():
        for port in PORTS:
            net = Radio(port, HOME)
            wlan = net.WLAN(net.STA_IF)
            assert wlan is net.WLAN(net.WLAN.IF_STA) and not wlan.active()
            raises(ValueError, net.WLAN, 2)
            raises(OSError, wlan.scan)
            raises(OSError, wlan.connect, "Home", "x")
            assert wlan.status() == net.STAT_IDLE and wlan.ifconfig()[0] == "0.0.0.0"
            wlan.active(True)
            raises(OSError, wlan.connect)
            wlan.connect("Home", "correct horse")
            assert wlan.status() == net.STAT_CONNECTING and not wlan.isconnected()
            raises(OSError, wlan.status, "rssi")
            if port == "esp32":
                raises(OSError, wlan.connect, "Home", "correct horse")
            net.clock.ms += 250
            assert wlan.status() == (1001 if port == "esp32" else 2)
            net.clock.ms += 250
            assert wlan.status() == net.STAT_GOT_IP and wlan.isconnected()
            assert wlan.config("ssid") == "Home" and len(wlan.config("mac")) == 6
            assert wlan.ipconfig("addr4") == ("192.168.4.2", "255.255.255.0")
            raises(ValueError, wlan.config, "colour")
            raises(ValueError, wlan.config, "key")
            raises(TypeError, wlan.config, "mac", "ssid")
            net.clock.air["networks"] = []
            assert not wlan.isconnected()
            wlan.active(False)
            assert wlan.status() == net.STAT_IDLE

    def test_access_point_is_as_documented():
        for port in PORTS:
            net = Radio(port)
            ap = net.WLAN(net.AP_IF)
            raises(OSError, ap.scan)
            raises(OSError, ap.connect, "Home", "x")
            ap.config(ssid="Photon-ABCD", channel=11, security=0)
            ap.active(True)
            assert ap.config("ssid") == "Photon-ABCD" and ap.config("channel") == 11
            assert ap.ifconfig()[0] == "192.168.4.1" and not ap.isconnected()
            ap.ifconfig(("192.168.0.1", "255.255.255.0", "192.168.0.1", "192.168.0.1"))
            assert ap.ifconfig()[3] == "192.168.0.1"
            ap.ipconfig(addr4=("192.168.7.1", "255.255.255.0"), gw4="192.168.7.1")
            assert ap.ipconfig("gw4") == "192.168.7.1"
            net.clock.air["stations"] = ["020000000001"]
            assert ap.isconnected() and ap.status("stations") == [(b"\x02\0\0\0\0\x01",)]
