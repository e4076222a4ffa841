"""Connections to spark-server that end: power, server, goodbye, refusal."""

from interop.boards import eventually


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
