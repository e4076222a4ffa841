"""Where webhooks may go: the setting `webhook_hosts`, checked against names and addresses.

An entry is `*` (any host), a host name or `*.NAME` (whatever its address is), an address or a
network such as 192.168.0.0/16 (whatever the name was that led there). `*` alone does not open
what no server on the network needs a hook for: link-local addresses, among them the metadata
service of hosting providers, the unspecified address and multicast. They can be listed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Sequence

from aiohttp.abc import AbstractResolver, ResolveResult

from particle_tools.errors import UserError

_ANY = "*"
_LOOK_UPS = 8  # at one time; a look-up that hangs keeps its thread until the system gives up

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotAllowed(OSError):
    """A host that the setting does not let hooks reach."""


class Allowed:
    """The entries of the setting. Raises UserError for one that cannot be understood."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._any = False
        self._names: list[str] = []
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in entries:
            self._add(entry.strip().lower())

    def _add(self, entry: str) -> None:
        if entry == _ANY:
            self._any = True
            return
        try:
            self._networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            name = entry.removeprefix("*.")
            if not name or not all(c.isalnum() or c in "-._" for c in name):
                raise UserError(
                    f"webhook_hosts: {entry!r} is no host name, address or network"
                ) from None
            self._names.append(entry)

    def by_name(self, host: str) -> bool:
        """Tell whether a host name is listed as such."""
        host = host.lower().rstrip(".")
        return any(
            host.endswith(name[1:]) if name.startswith("*.") else host == name
            for name in self._names
        )

    def by_address(self, text: str) -> bool:
        """Tell whether an address may be reached, whatever it is called."""
        address = _plain(ipaddress.ip_address(text.partition("%")[0]))
        if any(
            address.version == network.version and address in network for network in self._networks
        ):
            return True
        return self._any and not (
            address.is_link_local or address.is_multicast or address.is_unspecified
        )

    def check_literal(self, host: str) -> None:
        """Check a host that is written as an address. Raises NotAllowed."""
        try:
            allowed = self.by_address(host)
        except ValueError:
            return  # a name: its addresses are checked when they are known
        if not allowed:
            raise NotAllowed(host)


def is_address(host: str) -> bool:
    """Tell whether a host is written as an address, not as a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _plain(address: Address) -> Address:
    # ::ffff:169.254.169.254 is the same host as without its prefix.
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


class Resolver(AbstractResolver):
    """Looks names up in threads of its own and gives only addresses that are allowed."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._free = asyncio.Semaphore(_LOOK_UPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host. Raises OSError, NotAllowed if none may be reached."""
        found = await self._look_up(host, port, family)
        named = self._allowed.by_name(host)
        results: list[ResolveResult] = []
        for kind, _, protocol, _, where in found:
            if kind not in (socket.AF_INET, socket.AF_INET6):
                continue
            address = str(where[0])
            if named or self._allowed.by_address(address):
                results.append(
                    ResolveResult(
                        hostname=host,
                        host=address,
                        port=port,
                        family=kind,
                        proto=protocol,
                        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                    )
                )
        if not results:
            raise NotAllowed(host)
        return results

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list:
        # Not the loop's executor: passwords are checked there. A daemon: the system's look-up
        # cannot be interrupted, and the cloud's end must not wait for it.
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer = loop.create_future()

        def settle(found: list | None, error: OSError | None) -> None:
            self._free.release()
            if answer.done():
                return
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def work() -> None:
            found, error = None, None
            try:
                found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
            except OSError as fault:
                error = fault
            except UnicodeError as fault:
                error = OSError(f"not a host name: {fault}")
            try:
                loop.call_soon_threadsafe(settle, found, error)
            except RuntimeError:
                pass  # the loop is gone

        threading.Thread(target=work, name="cloud-hook-dns", daemon=True).start()
        return await answer

    async def close(self) -> None:
        """Do nothing: threads end by themselves."""
