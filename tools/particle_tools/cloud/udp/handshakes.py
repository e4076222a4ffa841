"""The handshakes in progress, by address, and whose turn it is to give way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from particle_tools.cloud.udp.association import Address

if TYPE_CHECKING:
    from particle_tools.cloud.udp.link import Link


class Handshakes(dict[Address, "Link"]):
    """Links by the address their hello came from, oldest first; also by IP address."""

    def __init__(self) -> None:
        super().__init__()
        self._hosts: dict[str, dict[Address, Link]] = {}

    def __setitem__(self, address: Address, link: Link) -> None:
        super().__setitem__(address, link)
        self._hosts.setdefault(address[0], {})[address] = link

    def __delitem__(self, address: Address) -> None:
        super().__delitem__(address)
        host = self._hosts[address[0]]
        del host[address]
        if not host:
            del self._hosts[address[0]]

    def in_the_way(self, address: Address, every: int, of_host: int) -> Link | None:
        """Return the link that must give way to one from `address`; None if there is room.

        every, of_host: how many there may be altogether and of one IP address. One host cannot
        end the handshakes of others while they are fewer than `every`.
        """
        host = self._hosts.get(address[0], {})
        if len(host) >= of_host:
            # An established session only loses the repetition of its last flight.
            kept = (link for link in host.values() if link.kept)
            return next(kept, next(iter(host.values())))
        return next(iter(self.values())) if len(self) >= every else None
