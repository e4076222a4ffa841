"""The portal in a browser, with a simulated board and a cloud: from access point to cloud."""

from interop.boards import eventually
from interop.portal.listening import AIR, ATTACK, HOME, MARKS, Board

_REFUSED = "The network refused the password"
_ABSENT = "The network was not found"


def test_four_taps_and_a_password(board, hand):
    hand.join()
    hand.choose("Home")
    assert hand.focus() == "password"
    hand.write("correct horse")
    hand.picture("password")
    hand.tap("connect")
    hand.sees("Connected", "#done h2")
    hand.picture("connected")
    assert "Home" in hand.shown("#result")
    board.online("Home")
    assert hand.taps == 4


def test_the_list(board, hand):
    """Strongest first, each name once, nothing but text, without hidden ones."""
    hand.join()
    names = [n["ssid"] for n in sorted(AIR, key=lambda n: -n["rssi"]) if not n.get("hidden")]
    assert hand.networks() == list(dict.fromkeys(names))
    hand.picture("networks")
    rows = [e.accessible_name for e in hand.driver.find_elements("css selector", "li button")]
    assert rows[0].split() == "Home secured signal 4 of 4".split()
    assert rows[names.index("Cafe")].split() == "Cafe open signal 2 of 4".split()
    assert hand.says("[window.hit, document.images.length, document.scripts.length]") == [
        None,
        0,
        1,
    ]
    # somebody switches a router on meanwhile
    board.hears([*AIR, {"ssid": "New", "security": "open", "rssi": -40}])
    eventually(lambda: hand.tap("rescan") or "New" in hand.networks())
    assert hand.networks()[0] == "New"


def test_a_wrong_password(board, hand):
    hand.join().connect("Home", "short")
    hand.sees("8 to 63 characters", "#problem")
    hand.write("correct hose", "password")
    hand.tap("connect")
    hand.sees(_REFUSED, "#problem")
    hand.picture("refused")
    assert hand.focus() == "password"
    assert hand.find("password").get_property("value") == "correct hose"
    assert hand.find("password").get_attribute("aria-invalid") == "true"
    # what was typed can be looked at, and mended
    hand.tap("show")
    assert hand.find("password").get_attribute("type") == "text"
    hand.write("correct horse", "password")
    hand.tap("connect")
    hand.sees("Connected", "#done h2")
    board.online("Home")


def test_a_network_that_is_gone(board, hand):
    hand.join()
    hand.choose("Home")
    hand.write("correct horse")
    board.hears([n for n in AIR if n["ssid"] != "Home"])
    hand.tap("connect")
    hand.sees(_ABSENT, "#problem")
    assert "Home" in hand.shown("#problem")
    assert hand.find("password").get_property("value") == "correct horse"
    # it is there again
    board.hears(AIR)
    eventually(lambda: hand.tap("connect") or _settled(hand))
    hand.sees("Connected", "#done h2")
    board.online("Home")


def _settled(hand):
    # -> whether it was joined; waits for this or a reason why not
    shown = "#done:not([hidden]), #problem:not([hidden])"
    hand.eventually(lambda: hand.driver.find_elements("css selector", shown), "an answer")
    return hand.find("done").is_displayed()


def test_a_hidden_network(board, hand):
    hand.join()
    hand.networks()
    hand.tap("other")
    assert hand.focus() == "ssid"
    hand.picture("hidden")
    hand.write("Atic")
    hand.write("in the dark", "password")
    hand.tap("connect")
    hand.sees(_ABSENT, "#problem")
    assert hand.find("ssid").get_property("value") == "Atic"
    hand.write("Attic", "ssid")
    hand.tap("connect")
    hand.sees("Connected", "#done h2")
    board.online("Attic")


def test_a_fixed_address(board, hand):
    hand.join()
    hand.choose("Home")
    hand.write("correct horse")
    hand.tap("more")
    hand.tap("fixed")
    hand.picture("address")
    for wrong in ("", "192.168.7", "192.168.7.256", "192.168.7.5.1", "host"):
        hand.write(wrong, "ip")
        hand.tap("connect")
        hand.sees("four numbers", "#problem")
        assert hand.focus() == "ip"
    hand.write("192.168.7.50", "ip")
    hand.write("192.168.7.1", "gateway")
    hand.write("192.168.7.1", "dns")
    hand.tap("connect")
    hand.sees("192.168.7.50", "#result")
    assert board.says("online ").endswith("192.168.7.50")
    board.online("Home")


def test_a_script_in_a_name(board, hand):
    hand.join()
    for ssid in (ATTACK, '"><img src=x onerror=hit=1>', MARKS):
        hand.choose(ssid)
        assert hand.shown("#name") == ssid
        hand.write("11111111")
        hand.tap("connect")
        hand.sees(_REFUSED, "#problem")
        assert f"\u201c{ssid}\u201d: {_REFUSED}" in hand.shown("#problem")
        hand.tap("back")
    hand.connect(ATTACK, "12345678")
    hand.sees(ATTACK, "#result")
    hand.picture("script")
    assert hand.says("[window.hit, document.images.length, document.scripts.length]") == [
        None,
        0,
        1,
    ]
    board.online(ATTACK)


def test_a_slow_link(board, hand):
    hand.slow(4000, 400)
    hand.join().connect("Home", "correct horse")
    hand.sees("Connected", "#done h2")
    board.online("Home")


def test_a_reload_in_the_middle(board, hand):
    board.hears(AIR, join_ms=60000)
    hand.join().connect("Home", "correct horse")
    hand.sees("The device joins", "#step")
    hand.picture("joining")
    hand.driver.refresh()
    hand.sees("The device joins \u201cHome\u201d", "#step")
    board.hears(AIR)
    hand.sees("Connected", "#done h2")
    board.online("Home")


def test_a_reload_after_a_failure(board, hand):
    hand.join().connect("Home", "12345678")
    hand.sees(_REFUSED, "#problem")
    hand.driver.refresh()
    hand.sees(_REFUSED, "#problem")
    assert "Home" in hand.networks()


def test_a_power_cut_in_the_middle(board, hand):
    board.hears(AIR, join_ms=60000)
    hand.join().connect("Home", "correct horse")
    hand.sees("The device joins", "#step")
    board.cut_power()
    # The device, usually. A browser may repeat a request that the cut has ended: then the board
    # tries to join once more, and it is the router.
    hand.sees(" not answer", "#problem")
    assert hand.find("password").get_property("value") == "correct horse"
    board.hears(AIR)
    hand.tap("connect")
    hand.sees("Connected", "#done h2")
    board.online("Home")


def test_a_phone_that_leaves_in_the_middle(hand, cloud, places, tmp_path):
    board = Board(tmp_path, cloud, places, options=["--time-scale", "4"])
    try:
        board.hears([HOME], join_ms=4000)
        hand.join().connect("Home", "correct horse")
        hand.sees("The device joins", "#step")
        hand.leave()
        board.online("Home")
    finally:
        board.stop()
