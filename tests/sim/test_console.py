"""The serial console as a person meets it: a terminal at the pty of a simulated board."""

import json

import pytest

from sim.terminal import Terminal

HOME = {"ssid": "HomeWiFi", "password": "correct horse", "rssi": -50}
LISTEN = """
import particle
print("program")
try:
    particle.wifi.listen()
finally:
    print("listening:", particle.wifi.listening(), particle.wifi.credentials())
"""

# of a line that a program prints, not the console: the terminal may not be the prompt's again yet
END = rb"\r?\n"


@pytest.fixture
def terminal(bench):
    """Give a function that starts a board in this air and returns (board, sim, terminal)."""
    opened = []

    def start(program, *networks, files=None, **more):
        board = bench.board(files)
        air = {"networks": list(networks), "scan_ms": 50, "join_ms": 20, "address_ms": 20}
        (board.path / "radio.json").write_text(json.dumps(air | more))
        sim = bench.start(board, program, "--pty")
        opened.append(Terminal(sim.wait_for("serial ").split()[1]))
        return board, sim, opened[-1]

    yield start
    for each in opened:
        each.close()


DONE = (
    b"Thanks! Wait while I save those credentials...\r\n\r\n"
    b"Awesome. Now we'll connect!\r\n\r\nIf you see a pulsing cyan light, your device \r\n"
    b"has connected to the Cloud and is ready to go!\r\n\r\n"
    b"If your LED flashes red or you encounter any other problems,\r\n"
    b"visit https://www.particle.io/support to debug.\r\n\r\n    Particle <3 you!\r\n\r\n"
)


def test_a_network_is_given(terminal):
    board, sim, t = terminal(LISTEN, HOME)
    t.listens()
    t.type(b"i")
    (number,) = t.finds(rb"Device ID: ([0-9a-f]{24})\r\n")
    t.answers(b"c", b"Device claimed: no\r\n")
    t.answers(b"s", b'{"p":3,"m":[]}\r\n')
    t.answers(b"m", b"Your device MAC address is\r\n02:00:00:53:49:4d\r\n")
    t.answers(b"C", b"Enter 63-digit claim code: ")
    t.answers(b"c" * 63 + b"\n", b"c" * 63 + b"\r\nClaim code set to: " + b"c" * 63 + b"\r\n")
    t.answers(b"w", b"SSID: ")
    t.answers(b"HomeWiFi\n", b"HomeWiFi\r\nPassword: ")
    t.answers(b"correct horse\n", b"correct horse\r\n" + DONE)
    t.finds(rb"listening: False \[<Network b'HomeWiFi' wpa2>\]" + END)
    # the REPL has its stream back
    t.finds(rb">>> ")
    t.type(b"particle.wifi.connect(20), particle.device_id\r")
    assert t.finds(rb"\(True, '([0-9a-f]+)'\)" + END + b">>> ") == (number,)


def test_garbage_and_long_lines(terminal):
    _, _, t = terminal(LISTEN)
    t.listens()
    letters = b"ximvsdcCfLw\x03"
    t.type(bytes(n for n in range(256) if n not in letters))
    t.answers(b"c", b"Device claimed: no\r\n")
    t.answers(b"w", b"SSID: ")
    t.type(b"A" * 4096 + b"\n")
    t.finds(b"A{32}\r\nSecurity 0=unsecured, 1=WEP, 2=WPA, 3=WPA2: ")
    # what of the line came later was an answer to nothing, or a wrong one; it can be ended
    t.type(b"\x03")
    t.finds(rb"listening: False \[\]" + END)
    t.finds(rb"KeyboardInterrupt")
    t.finds(rb">>> ")
    t.type(b"6 * 7\r")
    t.finds(rb"6 \* 7" + END + b"42" + END + b">>> ")


def test_how_it_ends(terminal):
    program = """
    import particle
    events = []
    mask = particle.WIFI_LISTEN_BEGIN | particle.WIFI_LISTEN_UPDATE | particle.WIFI_LISTEN_END
    particle.system.on(mask, lambda event, ms: events.append(event))
    particle.wifi.listen()  # x
    print("x", particle.wifi.listening())
    particle.wifi.listen_timeout = 1.5
    particle.wifi.listen()
    print("time-out", particle.wifi.listening(), events)
    """
    _, _, t = terminal(program)
    t.listens()
    t.type(b"x")
    t.finds(rb"x False" + END)
    (events,) = t.finds(rb"time-out False \[([0-9, ]+)\]" + END)
    events = [int(n) for n in events.split(b",")]
    # a busy host may skip every 4: what is due is proven on a clock of the test's own
    assert events[0] == 2 and events[-1] == 8 and events.count(2) == events.count(8) == 2


def test_an_enterprise_network(terminal):
    eap = """
    def join(wlan, network, password):
        print("eap", network.ssid, network.eap, network.identity, password)
        wlan.connect(network.ssid, password)
    """
    corp = {"ssid": "Corp", "security": "wpa2-enterprise"}
    _, _, t = terminal(LISTEN, corp, files={"/_particle_eap.py": eap})
    t.listens()
    t.answers(b"w", b"SSID: ")
    t.answers(b"Corp\n", b"Corp\r\nEAP Type 0=PEAP/MSCHAPv2, 1=EAP-TLS: ")
    t.answers(b"0\n", b"0\r\nUsername: ")
    t.answers(b"alice\n", b"alice\r\nPassword: ")
    t.answers(b"secret12\n", b"secret12\r\nOuter identity (optional): ")
    t.answers(b"\n", b"\r\nRoot CA in PEM format (optional):\r\n")
    t.answers(b"\n", b"\r\n" + DONE)
    t.finds(rb"<Network b'Corp' wpa2-enterprise>")
