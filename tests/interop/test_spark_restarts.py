"""Connections to spark-server that end: power, server, goodbye, refusal."""

import shutil
import time

from interop.boards import PROGRAM, Switched, eventually
from particle_tools.errors import UserError
from particle_tools.sim.board_dir import BoardDir

_LOST_S = 40  # the server drops a silent board after 31 s, the board a silent server after 25 s


def test_power_cut_of_the_board(spark, board):
    api = spark.api()
    for _ in range(3):
        begun, ended = spark.connections(board.device_id)
        board.cut()
        spark.wait_online(board.device_id, False)
        board.start()
        spark.wait_online(board.device_id)
        assert spark.connections(board.device_id) == (begun + 1, ended + 1)
        assert api.call(board.device_id, "number", "7") == 7
    api.publish("down/after/cut", "x")
    assert board.says("heard down/after/cut")


def test_restart_of_the_server(spark, board, new_board):
    boards = [board, new_board(), new_board()]
    for each in boards:
        spark.wait_online(each.device_id)
    spark.stop()
    spark.start()
    for each in boards:
        spark.wait_online(each.device_id)
        assert spark.api().call(each.device_id, "number", "7") == 7
    # subscriptions are asked for again
    spark.api().publish("down/after/restart", "x")
    for each in boards:
        assert each.says("heard down/after/restart")


def test_server_that_comes_late(spark, new_board):
    late = new_board()
    spark.wait_online(late.device_id)
    late.cut()
    spark.stop()
    late.start()
    late.says("port: ")
    spark.start()
    spark.wait_online(late.device_id)


def test_goodbye_and_again(spark, board):
    begun, _ = spark.connections(board.device_id)
    assert spark.api().call(board.device_id, "leave", "") == 0
    board.says("left")
    eventually(lambda: spark.connections(board.device_id)[0] == begun + 1)
    assert spark.wait_online(board.device_id)
    assert spark.api().call(board.device_id, "number", "7") == 7


def test_wrong_device_key(spark, new_board):
    stranger = new_board(registered=False)
    assert "key" in stranger.says("device key")
    assert spark.connections(stranger.device_id) == (0, 0)


def test_half_open_connection_of_a_lost_board(spark, new_board):
    lost = new_board()
    spark.wait_online(lost.device_id)
    lost.freeze()
    copy = spark.folder / "copy"
    shutil.copytree(lost.path, copy)
    # the same device after a cut that the server did not see
    again = Switched(BoardDir(copy), PROGRAM)
    try:
        eventually(lambda: spark.connections(lost.device_id)[0] == 2)
        assert eventually(lambda: _answers(spark, again))
    finally:
        again.close()
        lost.thaw()


def test_board_that_was_frozen(spark, new_board):
    frozen = new_board()
    spark.wait_online(frozen.device_id)
    frozen.freeze()
    try:
        eventually(lambda: spark.connections(frozen.device_id) == (1, 1), _LOST_S)
    finally:
        frozen.thaw()
    spark.wait_online(frozen.device_id)
    assert spark.connections(frozen.device_id) == (2, 1)
    assert _answers(spark, frozen)


def test_server_that_was_frozen(spark, new_board):
    kept = new_board()
    spark.wait_online(kept.device_id)
    spark.freeze()
    try:
        time.sleep(_LOST_S)
    finally:
        spark.thaw()
    eventually(lambda: spark.connections(kept.device_id)[0] >= 2)
    assert eventually(lambda: _answers(spark, kept))
    spark.api().publish("down/after/frost", "x")
    assert kept.says("heard down/after/frost")


def _answers(spark, board):
    try:
        return spark.api().call(board.device_id, "number", "7") == 7
    except UserError:  # its connection is just being replaced
        return False
