"""particle-cli 3.51.0, unchanged, our cloud and boards on both transports (rest-api 12, 16)."""

import json
import re
import secrets

import pytest
from Crypto.PublicKey import ECC, RSA

from cloud.device import random_id
from cloud.running import Api
from firmware_files import module
from interop import node, particle_cli
from interop.boards import FUNCTIONS, PROGRAM, VARIABLES, calls_until, eventually, register_offline
from interop.particle_cli import Cli
from particle_tools.local import LocalCloud, SimulatedBoard

_UNKNOWN = "0" * 24
_PLATFORM = 3  # a board that is simulated
_PRODUCT = 12345
_SOMEBODY = ("somebody@example.com", "secret-two")

pytestmark = pytest.mark.timeout(300)  # each command is a process of a second or more


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """Give a running cloud."""
    found = LocalCloud(tmp_path_factory.mktemp("cloud"))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def account(cloud):
    """Give name and password of the cloud's user."""
    name, _, password = cloud.user.partition(":")
    return name, password


@pytest.fixture(scope="module")
def api(cloud, account):
    """Give REST as the user."""
    return Api(cloud.url).login(account)


@pytest.fixture(scope="module")
def somebody(cloud):
    """Give REST as another user."""
    api = Api(cloud.url)
    values = {"username": _SOMEBODY[0], "password": _SOMEBODY[1]}
    assert api("POST", "/v1/users", values) == (200, {"ok": True})
    return api.login(_SOMEBODY)


@pytest.fixture
def packages(need):
    """Give the folder of the packages."""
    found = particle_cli.PACKAGES.find()
    need("particle-cli (npm)", found, node.COMMAND)
    return found


@pytest.fixture
def new_cli(packages, cloud, tmp_path):
    """Give the tool as it was just installed, pointed to the cloud."""
    found = Cli(packages, tmp_path / "home")
    found("profile", "local")
    found("profile", "set", "apiUrl", cloud.url)
    return found


@pytest.fixture(scope="module")
def _home(tmp_path_factory):
    return tmp_path_factory.mktemp("cli") / "home"


@pytest.fixture
def cli(packages, cloud, account, _home):
    """Give the tool with the user logged in."""
    if _home.exists():
        _home.rename(_home.with_name(secrets.token_hex(4)))
    found = Cli(packages, _home)
    token = Api(cloud.url).login(account).token
    settings = {"apiUrl": cloud.url, "access_token": token, "username": account[0]}
    folder = _home / ".particle"
    folder.mkdir()
    (folder / "particle.config.json").write_text(json.dumps(settings))
    return found


@pytest.fixture(scope="module")
def boards(cloud, tmp_path_factory):
    """Give a board of the user for each transport that runs PROGRAM."""
    folder = tmp_path_factory.mktemp("boards")
    script = folder / "program.py"
    script.write_text(PROGRAM)
    found = {
        name: SimulatedBoard(folder / name, cloud, script=script, transport=name)
        for name in ("tcp", "udp")
    }
    api = cloud.api()
    for board in found.values():
        eventually(lambda b=board: api.device(b.device_id)["functions"] == FUNCTIONS)
    yield found
    for board in found.values():
        board.stop()


@pytest.fixture(params=["tcp", "udp"])
def board(request, boards):
    """Give a board on each transport."""
    return boards[request.param]


# Accounts.


def test_profile_login_and_logout(new_cli, account):
    name, password = account
    assert "local" in new_cli("profile", "--list")
    assert "not logged in" in new_cli("list", fails=True)
    text = new_cli("login", "-u", name, "-p", "wrong", fails=True)
    assert "User credentials are invalid" in text
    assert "Successfully completed login" in new_cli("login", "-u", name, "-p", password)
    assert f"> {name}" in new_cli("whoami")
    assert f"logged out from {name}" in new_cli("logout")
    assert "not logged in" in new_cli("whoami", fails=True)
    new_cli("cloud", "login", "-u", name, "-p", password)
    new_cli("cloud", "logout")
    assert "not logged in" in new_cli("call", _UNKNOWN, "f", fails=True)


def test_a_token_that_is_made_used_and_revoked(new_cli, cli, account):
    name, password = account
    for options, lifetime in (
        ((), r"expires on"),
        (("--expires-in", "3600"), r"expires on"),
        (("--never-expires",), r"never expires"),
    ):
        made = cli.ask("token", "create", *options, answers=[("enter your password", password)])
        assert made.code == 0 and re.search(lifetime, made.text), made
        token = re.search(r"\b[0-9a-f]{40}\b", made.text).group()
    wrong = cli.ask("token", "create", answers=[("enter your password", "wrong")])
    assert wrong.code == 1 and "User credentials are invalid" in wrong.text
    assert "Successfully completed login" in new_cli("login", "--token", token)
    assert f"> {name}" in new_cli("whoami")
    assert "Successfully revoked" in cli("token", "revoke", token)
    assert "not logged in" in new_cli("get", _UNKNOWN, "v", fails=True)
    assert "token provided is invalid" in cli("token", "revoke", token)


# Devices.


def test_nothing_to_list(new_cli, somebody):
    new_cli("login", "-u", _SOMEBODY[0], "-p", _SOMEBODY[1])
    assert "No devices found" in new_cli("list")


def test_list(cli, api, boards):
    offline = register_offline(api)
    text = cli("list")
    for board in boards.values():
        assert re.search(rf"\[{board.device_id}\] \(.*\) is online", text)
    assert re.search(rf"\[{offline}\] \(.*\) is offline", text)
    for name in FUNCTIONS:
        assert f"int {name} (String args)" in text
    for name, (kind, _) in VARIABLES.items():
        assert f"{name} ({kind})" in text
    assert offline not in cli("cloud", "list", "online")
    assert offline in cli("list", "offline")
    only = cli("list", boards["udp"].device_id)
    assert boards["udp"].device_id in only and boards["tcp"].device_id not in only
    assert "int say (String args)" in cli("function", "list")
    assert "double (double)" in cli("variable", "list")


def test_rename_and_signal(cli, board):
    name = f"lamp-{secrets.token_hex(4)}"
    text = cli("device", "rename", board.device_id, name)
    assert f"Successfully renamed device {board.device_id} to: {name}" in text
    assert f"{name} [{board.device_id}]" in cli("list", name)
    assert cli("call", name, "number", "7").split() == ["7"]
    again = f"desk {secrets.token_hex(4)}"
    cli("cloud", "name", name, again)
    cli("cloud", "nyan", again, "on")
    cli("nyan", again, "off")
    assert "no longer supported" in cli("device", "doctor")


def test_names_that_are_taken_and_devices_that_are_unknown(cli, api, boards):
    offline = register_offline(api)
    name = f"taken-{secrets.token_hex(4)}"
    cli("device", "rename", offline, name)
    text = cli("device", "rename", boards["tcp"].device_id, name, fails=True)
    assert "already have a device with that name" in text
    unknown = "didn't recognize that device name or ID"
    assert unknown in cli("device", "rename", _UNKNOWN, "x", fails=True)
    assert unknown in cli("call", _UNKNOWN, "f", fails=True)
    assert unknown in cli("nyan", _UNKNOWN, "on", fails=True)
    assert unknown in cli("device", "add", _UNKNOWN, fails=True)
    assert "Timed out" in cli("nyan", offline, "on", fails=True)


def test_remove_and_add(cli, board):
    text = cli("device", "remove", board.device_id, "--yes")
    assert "Okay" in text
    assert "didn't recognize" in cli("cloud", "remove", board.device_id, "--yes", fails=True)
    text = cli("device", "add", board.device_id.upper())
    assert "Successfully claimed device" in text
    assert "Successfully claimed device" in cli("cloud", "claim", board.device_id)
    assert cli("call", board.device_id, "number", "8").split() == ["8"]


def test_a_device_of_somebody_else_is_asked_for(cli, api, somebody):
    device_id = register_offline(somebody)
    answers = [("belongs to someone else", "n")]
    assert cli.ask("device", "add", device_id, answers=answers).code != 0
    assert somebody("GET", "/local/v1/transfers") == (200, [])
    answers = [("belongs to someone else", "y")]
    assert "Transfer requested" in cli.ask("device", "add", device_id, answers=answers).text
    (asked,) = somebody("GET", "/local/v1/transfers")[1]
    assert asked["device_id"] == device_id
    assert somebody("POST", f"/local/v1/transfers/{asked['id']}/accept")[0] == 200
    assert f"[{device_id}]" in cli("list", "offline")


def test_keys(cli, api, tmp_path):
    private = tmp_path / "key.pem"
    for pem in (
        RSA.generate(1024).export_key("PEM").decode(),
        ECC.generate(curve="P-256").export_key(format="PEM"),
    ):
        private.write_text(pem)
        device_id = random_id()
        text = cli("keys", "send", device_id, private)
        assert "submitting public key succeeded" in text
        assert api("GET", f"/v1/devices/{device_id}")[1]["id"] == device_id
    private.write_text("no key")
    cli("keys", "send", random_id(), private, fails=True)


# Functions, variables, events.


@pytest.mark.parametrize(
    ("arguments", "result"),
    [(("number", "-5"), "-5"), (("number",), "-1"), (("boom", "x"), "-1"), (("say", "ü=ß"), "2")],
)
def test_call(cli, board, arguments, result):
    assert cli("call", "--", board.device_id, *arguments).split() == [result]


def test_calls_that_fail(cli, api, board):
    assert "not found" in cli("function", "call", board.device_id, "nothing", "1", fails=True)
    text = cli("call", board.device_id, "number", "1" * 1025, fails=True)
    assert "longer than 1024" in text
    offline = register_offline(api)
    assert "Timed out" in cli("call", offline, "number", "1", fails=True)
    assert "Timed out" in cli("get", offline, "double", fails=True)
    assert "Variable not found" in cli("get", board.device_id, "nothing", fails=True)


def test_get(cli, board):
    values = {"yes": "true", "int": "-2147483648", "double": "21.5", "text": "grüße"}
    for name, shown in values.items():
        assert cli("get", board.device_id, name).strip() == shown
    assert re.search(r"T.*, 21\.5", cli("variable", "get", board.device_id, "double", "--time"))


def test_get_of_all_devices(cli, boards):
    text = cli("get", "all", "double")
    for board in boards.values():
        assert f"{board.device_id}, 21.5" in text


def test_monitor(cli, board):
    watched = cli.begin("variable", "monitor", board.device_id, "double", "--delay", "500")
    try:
        eventually(lambda: watched.lines.count("21.5") >= 3)
    finally:
        watched.stop()


def test_publish_reaches_the_boards(cli, boards):
    name = f"down/{secrets.token_hex(4)}"
    assert f"Published event: {name}" in cli("publish", name, "from the tool")
    for board in boards.values():
        eventually(lambda b=board: f"heard {name} from the tool" in b.output())
    assert "Published event" in cli("publish", "nothing")
    assert "1 to 64" in cli("publish", "n" * 65, "x", fails=True)


def test_subscribe(cli, api, board, boards):
    (other,) = [b for b in boards.values() if b is not board]
    name = f"up/{secrets.token_hex(4)}"
    watched = {
        "mine": cli.begin("subscribe", name, "--max", "1"),
        "one": cli.begin("subscribe", name, "--device", board.device_id, "--max", "1"),
        "until": cli.begin("subscribe", "--until", "1 2"),
        "other": cli.begin("subscribe", name, "--device", other.device_id),
    }
    try:
        path = f"/v1/devices/{board.device_id}/say"
        ended = [watched[each] for each in ("mine", "one", "until")]
        calls_until(api, path, f"{name}=1 2", lambda: all(each.over() for each in ended))
        for each in ("mine", "one", "until"):
            text = watched[each].stop()
            event = next(json.loads(line) for line in text.splitlines() if line[:1] == "{")
            assert (event["data"], event["coreid"]) == ("1 2", board.device_id), text
        assert '"name"' not in watched["other"].stop()
    finally:
        for each in watched.values():
            each.stop()


# Firmware.


def test_flash(cli, api, board, tmp_path):
    good = tmp_path / "app.bin"
    good.write_bytes(module(_PLATFORM))
    assert "Flash success" in cli("cloud", "flash", board.device_id, good)
    assert "Flash success" in cli("flash", "--cloud", board.device_id, good)
    path = f"/local/v1/devices/{board.device_id}/updates"
    # The board runs a program of its own and refuses; test_particle_flash.py has a boot stage.
    eventually(lambda: api("GET", path)[1][0]["error"])
    last = api("GET", path)[1][0]
    assert "-120" in last["error"] or "answered 5.03" in last["error"]
    assert last["files"] == [{"name": "app.bin", "kind": "module", "size": len(module(3))}]
    other = tmp_path / "other.bin"
    other.write_bytes(module(12))
    text = cli("cloud", "flash", board.device_id, other, fails=True)
    assert "is for platform 12" in text
    other.write_bytes(good.read_bytes()[:-1])
    assert "cut off" in cli("flash", board.device_id, other, fails=True)


def test_what_needs_a_compiler(cli, boards, tmp_path):
    source = tmp_path / "app.ino"
    source.write_text("void setup() {}\nvoid loop() {}\n")
    device_id = boards["tcp"].device_id
    assert "has no compiler" in cli("compile", "photon", source, fails=True)
    assert "has no compiler" in cli("cloud", "compile", "argon", source, fails=True)
    assert "has no compiler" in cli("cloud", "flash", device_id, source, fails=True)


# Webhooks and products.


def test_webhooks(cli, tmp_path):
    file = tmp_path / "hook.json"
    file.write_text('{"event": "e3", "url": "http://127.0.0.1:9/x", "requestType": "PUT"}')
    url = "http://127.0.0.1:9/x"
    for command in (
        ("webhook", "create", "e1", url),
        ("webhook", "GET", "e2", url),
        ("webhook", "create", file),
        ("webhook", "POST", "e4", url),
    ):
        made = cli(*command)
        number = re.search(r"with ID ([0-9a-f]{24})", made).group(1)
    text = cli("webhook", "list")
    assert "Found 4 integrations" in text
    assert all(f'watching for "e{n}"' in text for n in range(1, 5))
    cli("webhook", "delete", number)
    assert "Found 3 integrations" in cli("integration", "list")
    done = cli.ask("webhook", "delete", "all", answers=[("delete ALL", "y")])
    assert done.code == 0, done


def test_products(cli, api, boards, tmp_path):
    board = boards["udp"]
    values = {"id": _PRODUCT, "name": "Lamps", "platform_id": _PLATFORM}
    assert api("POST", "/local/v1/products", values)[0] in (200, 409)
    device_id, product = board.device_id, ("--product", _PRODUCT)
    one = ("product", "device", "list", _PRODUCT, device_id)
    assert "didn't recognize" in cli(*one, fails=True)
    text = cli("product", "device", "add", _PRODUCT, device_id)
    assert "Success!" in text and device_id in text
    file = tmp_path / "ids.txt"
    file.write_text(f"{device_id}\n{_UNKNOWN}\n")
    text = cli("product", "device", "add", _PRODUCT, "--file", file)
    assert _UNKNOWN in text.partition("Skipped Invalid IDs")[2]
    assert device_id in cli("product", "device", "list", "lamps")
    assert f"(Product {_PRODUCT}) is online" in cli(*one)
    path = f"/v1/products/{_PRODUCT}/devices/{device_id}"
    assert api("PUT", path, {"groups": ["beta"]})[1]["groups"] == ["beta"]
    listed = cli("product", "device", "list", _PRODUCT, "--groups", "beta", "--limit", "5")
    assert device_id in listed
    assert device_id not in cli("product", "device", "list", _PRODUCT, "--groups", "alpha")
    assert cli("call", device_id, "number", "9", *product).split() == ["9"]
    assert cli("get", device_id, "double", *product).strip() == "21.5"
    cli("nyan", device_id, "off", *product)
    name = f"down/{secrets.token_hex(4)}"
    assert f"product: {_PRODUCT}" in cli("publish", name, "x", *product)
    eventually(lambda: f"heard {name} x" in board.output())
    good = tmp_path / "app.bin"
    good.write_bytes(module(_PLATFORM))
    text = cli("cloud", "flash", device_id, good, *product)
    assert "development device" in text and "Flash success" in text
    assert api("GET", path)[1]["development"] is True
    watched = cli.begin("subscribe", "up/", *product, "--max", "1")
    try:
        calls_until(api, f"{path}/say", "up/product=1", watched.over)
        assert f'"productID":{_PRODUCT}' in watched.stop()
    finally:
        watched.stop()
    assert "Removed device" in cli("product", "device", "remove", _PRODUCT, device_id)
    assert "didn't recognize" in cli(*one, fails=True)


@pytest.mark.parametrize(
    "command",
    [
        "library list",
        "library search x",
        "logic-function list",
        "config env list --sandbox",
        "config secrets list --sandbox",
        "product device list 54321",
        "publish x y --product 54321",
        "publish x y --org nobody",
        "subscribe x --org nobody --max 1",
        "subscribe x --product 54321 --max 1",
    ],
)
def test_what_is_not_served_is_said(cli, command):
    text = cli(*command.split(), fails=True)
    assert "not served by the local cloud" in text or "not found" in text, text
