"""The cloud's side of a handshake, made beforehand: the same random numbers give it again."""

from dtls_peer import Memory, Peer


def answers(client):
    """Run the handshake of a client that was started; list what the peer sent after each datagram.

    The datagrams of the peer are a list of bytes.
    """
    peer = Peer()
    found = []
    with Memory():
        while True:
            while client.deadline() == 0:
                client.tick(0)
            n = client.transmit(0)
            if not n:
                return found
            found.append([bytes(d) for d in peer.receive(bytes(client.out[:n]))])
            take(client, found[-1])


def take(client, datagrams):
    """Let datagrams arrive at a client."""
    for datagram in datagrams:
        client.receive(bytearray(datagram), len(datagram), 0)
        while client.message():
            pass
