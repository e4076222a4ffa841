"""What an acknowledged publish costs besides its two records: from the verb to its event ACKED."""

from stored_session import joined

VECTORS = {"coap-messages.json": ("tcp_handshake",)}


def cases():
    """Yield (key, function); what the function returns is counted too if it is a generator."""
    board, _, _ = joined()
    conn = board.conn
    answer = bytearray(4)

    def publish():
        conn.publish(board.now, "kitchen/temperature", b"21.5", 0, True)
        conn.tick(board.now)
        conn.transmit(board.now)
        answer[0] = 0x60
        answer[1] = 0
        answer[2] = conn.out[2]
        answer[3] = conn.out[3]
        conn.receive(answer, 4, board.now)
        conn.tick(board.now)
        acked = False
        while True:
            event = conn.event()
            if event is None:
                break
            acked = acked or event[0] == "ACKED"
        assert acked

    publish()  # what is made once is not counted
    yield "publish_messages", publish
