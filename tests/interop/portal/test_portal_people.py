"""The portal for people of several kinds: with any phone, in German, with keys only, in a firm."""

import pytest
from selenium.webdriver.common.keys import Keys

from interop import node
from interop.boards import eventually
from interop.portal.listening import Board
from interop.portal.phone import AXE, PROBES

# what browsers of 2011 do not have
_OLD = """
    for (const name of ['crypto', 'fetch', 'Promise', 'Symbol', 'Map', 'Set', 'URLSearchParams'])
        Object.defineProperty(window, name, {value: undefined});
    for (const [kind, name] of [[Array, 'from'], [Object, 'assign'], [Object, 'entries'],
            [Object, 'values'], [Array.prototype, 'find'],
            [String.prototype, 'includes'], [String.prototype, 'startsWith'],
            [String.prototype, 'padStart'], [Element.prototype, 'closest'],
            [Element.prototype, 'matches'], [Element.prototype, 'append'],
            [Element.prototype, 'remove'], [NodeList.prototype, 'forEach']])
        delete kind[name];
    Object.defineProperty(HTMLElement.prototype, 'hidden', {value: undefined, writable: true});
"""
_PAGE = "http://192.168.0.1/index"


def test_every_phone_finds_the_page(board, hand):
    for system in PROBES:
        hand.join(system)
        assert hand.says("location.href") == _PAGE, system
        hand.sees("Choose your Wi-Fi")


def test_an_old_phone(board, hand):
    with hand.running_first(_OLD):
        hand.join()
        assert hand.says("[window.crypto, window.fetch, Array.from]") == [None] * 3
        hand.choose("Home")
        hand.tap("more")
        hand.tap("fixed")
        for name, text in (("ip", "192.168.7.9"), ("gateway", "192.168.7.1"), ("dns", "9.9.9.9")):
            hand.write(text, name)
        hand.write("correct horse", "password")
        hand.tap("connect")
        hand.sees("192.168.7.9", "#result")
    board.online("Home")


def test_in_german(board, hand):
    hand.join()
    hand.choose("Home")
    hand.tap("language")
    assert hand.says("document.documentElement.lang") == "de"
    assert hand.shown("label[for=password]") == "Passwort"
    hand.write("12345678", "password")
    hand.tap("connect")
    hand.sees("Das Netz hat das Passwort abgelehnt", "#problem")
    hand.picture("german")
    # what is said changes with the language, whatever it is
    hand.tap("language")
    hand.sees("The network refused the password", "#problem")
    assert hand.find("password").get_property("value") == "12345678"


def test_with_keys_only(board, hand):
    hand.join()
    hand.networks()
    for _ in range(20):
        hand.driver.switch_to.active_element.send_keys(Keys.TAB)
        if hand.says("document.activeElement.textContent").startswith("Home"):
            break
    hand.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert hand.focus() == "password"
    hand.write("correct horse" + Keys.ENTER)
    hand.sees("Connected", "#done h2")
    assert hand.says("document.activeElement.textContent") == "Connected"
    board.online("Home")


def test_what_a_screen_reader_says(board, hand):
    hand.join()
    hand.choose("Home")
    hand.tap("more")
    hand.tap("fixed")
    for name, label in (("password", "Password"), ("show", "Show password"), ("ip", "Address")):
        assert hand.find(name).accessible_name == label
    assert hand.find("more").get_attribute("aria-expanded") == "true"
    assert hand.find("problem").get_attribute("role") == "alert"
    assert hand.find("step").get_attribute("role") == "status"
    unnamed = "input:not([type=hidden]), select, textarea, button"
    shown = [e for e in hand.driver.find_elements("css selector", unnamed) if e.is_displayed()]
    assert [e.get_attribute("id") for e in shown if not e.accessible_name] == []
    # a finger finds everything
    low = [
        e.get_attribute("id") for e in shown if e.tag_name == "button" and e.size["height"] < 44
    ]
    assert low == []


def test_no_barriers(need, board, hand):
    """axe-core finds nothing that keeps anybody out, in any view, by day and by night."""
    need("axe-core (npm)", AXE.find(), node.COMMAND)
    for scheme in ("light", "dark"):
        with hand.scheme(scheme):
            hand.join()
            hand.networks()
            assert hand.barriers() == []
            hand.choose("Corp")
            hand.tap("fixed")
            assert hand.barriers() == []
            hand.tap("connect")
            hand.sees("Enter user name", "#problem")
            assert hand.barriers() == []
            hand.tap("back")
            hand.tap("other")
            hand.tap("language")
            assert hand.barriers() == []
            hand.tap("language")
    hand.join()
    hand.choose("Cafe")
    hand.tap("connect")
    hand.sees("Connected", "#done h2")
    assert hand.barriers() == []


def test_no_field_is_cut_off(board, hand):
    """Nothing is wider than a small phone."""
    hand.join()
    for name in ("Home", "Corp"):
        hand.choose(name)
        assert hand.says("document.documentElement.scrollWidth") <= 360
        hand.tap("back")
    hand.tap("other")
    assert hand.says("document.documentElement.scrollWidth") <= 360


def test_an_enterprise_network(board, hand):
    """The board takes the settings, with a key that it decrypts, and says why it cannot join."""
    hand.join()
    hand.choose("Corp")
    assert hand.focus() == "ii"
    hand.picture("enterprise")
    hand.tap("connect")
    hand.sees("Enter user name and password", "#problem")
    hand.write("me@corp", "ii")
    hand.write("secret", "password")
    hand.tap("connect")
    hand.sees("cannot join enterprise networks", "#problem")
    # certificates; the private key travels in AES, whose key in RSA
    hand.find("eap").send_keys("EAP-TLS")
    hand.tap("connect")
    hand.sees("Enter the client certificate", "#problem")
    for name, kind in (("crt", "CERTIFICATE"), ("key", "PRIVATE KEY")):
        hand.write(f"-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n", name)
    hand.tap("connect")
    hand.sees("cannot join enterprise networks", "#problem")
    hand.tap("back")
    # and it still takes another network
    hand.choose("Cafe")
    hand.tap("connect")
    hand.sees("Connected", "#done h2")
    board.online("Cafe")


def test_a_claim_code(board, hand, cloud):
    """The board of nobody becomes that of the user whose code was given."""
    api = cloud.api()
    code = api.post("/v1/device_claims")["claim_code"]
    api.delete(f"/v1/devices/{board.device_id}")
    hand.join()
    hand.choose("Home")
    hand.write("correct horse")
    hand.tap("more")
    hand.write(code[:-1], "claim")
    hand.tap("connect")
    hand.sees("63 characters", "#problem")
    hand.write(code, "claim")
    hand.tap("connect")
    hand.sees("Connected", "#done h2")
    eventually(lambda: board.device_id in [device["id"] for device in api.get("/v1/devices")])


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_a_board_without_a_key(hand, cloud, places, tmp_path, port):
    """One that uses UDP makes the key for the password while it listens."""
    board = Board(tmp_path, cloud, places, transport="udp", port=port)
    try:
        hand.join().connect("Home", "correct horse")
        hand.sees("Connected", "#done h2")
        board.online("Home")
    finally:
        board.stop()
