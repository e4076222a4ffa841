"""What spark-server asks of our board: description, functions, variables, signal, ping, ids."""

import pytest
from Crypto.PublicKey import RSA

from cloud.device import TestDevice, random_id
from interop.boards import FUNCTIONS, VARIABLES, eventually
from particle_tools.errors import UserError

_HELLO_FLAGS = 0x36


def test_handshake_hello_and_description(spark, board):
    device = spark.wait_online(board.device_id)
    assert device["functions"] == FUNCTIONS
    assert device["variables"] == {name: kind for name, (kind, _) in VARIABLES.items()}
    assert (device["platform_id"], device["product_id"]) == (3, 3)
    assert device["product_firmware_version"] == 0xFFFF


def test_the_clock_is_set_from_its_time(spark, board):
    api = spark.api()
    assert eventually(lambda: api.read(board.device_id, "year") > 2000)


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_variables(spark, board, name):
    value = spark.api().read(board.device_id, name)
    # an empty text is nothing to this server
    assert value == (VARIABLES[name][1] or None if name == "empty" else VARIABLES[name][1])


def test_unknown_variable(spark, board):
    with pytest.raises(UserError, match="Variable not found"):
        spark.api().read(board.device_id, "nothing")


@pytest.mark.parametrize(
    ("name", "argument", "result"),
    [
        ("number", "-2147483648", -2147483648),
        ("number", "2147483647", 2147483647),
        ("number", "", -1),
        ("number", "2147483648", -1),
        ("boom", "x", -1),
        ("say", "up/ü=grüße", 7),
        ("say", "up/a=" + "x" * 617, 617),
        ("say", "up/b=" + "x" * 1019, 1019),
    ],
)
def test_functions(spark, board, name, argument, result):
    assert spark.api().call(board.device_id, name, argument) == result


def test_unknown_function(spark, board):
    with pytest.raises(UserError, match="Function not found"):
        spark.api().call(board.device_id, "nothing", "")


def test_function_of_another_case(spark, board):
    # this server compares without regard to case and hands on what was typed; devices are exact
    assert spark.api().call(board.device_id, "NUMBER", "7") is None
    assert spark.api().call(board.device_id, "number", "7") == 7


def test_argument_over_the_limit_is_refused(spark, board):
    # the ACK 4.00 has no token (cloud-protocol 4.6), so this server waits in vain
    with pytest.raises(UserError, match="timeout"):
        spark.api().call(board.device_id, "say", "up/c=" + "x" * 1020)
    assert spark.api().call(board.device_id, "number", "7") == 7


def test_signal_costs_no_message_id(spark, board):
    # Device OS numbers this ACK anew and is thrown out at its next message
    api = spark.api()
    for value in ("1", "0"):
        assert api.put(f"/v1/devices/{board.device_id}", signal=value)["ok"]
        assert api.call(board.device_id, "number", "7") == 7


def test_ping(spark, board):
    assert spark.api().put(f"/v1/devices/{board.device_id}/ping")["connected"]


def test_many_requests_one_connection(spark, board):
    api = spark.api()
    before = spark.connections(board.device_id)
    for n in range(50):
        assert api.call(board.device_id, "number", str(n)) == n
        assert api.read(board.device_id, "int") == VARIABLES["int"][1]
    assert spark.connections(board.device_id) == before


def test_a_wrong_message_id_is_noticed(spark):
    """The server is as strict as these tests rely on."""
    key, device_id = RSA.generate(1024), random_id()
    spark.api().provision(device_id, key.public_key().export_key("PEM").decode(), "rsa")
    spark.provoked.add(device_id)
    with TestDevice(spark.device_port, spark.public_key, key, device_id) as device:
        device.connect(_HELLO_FLAGS)
        question = device.recv()
        device.acknowledge(question)
        device.answer(question, 0x45, b'{"f":[],"v":{},"p":3,"m":[]}')
        spark.wait_online(device_id)
        device.next_mid()
        device.publish("one/id/left/out")
        assert device.ended()
    assert eventually(lambda: f'{device_id}"' in spark.log and "Bad Counter" in spark.log)
