"""System events: what the system does, told to the application (device-api 4.3).

`tell` is for whoever makes one; the constants `particle.NAME` are the bits of `EVENTS`.
"""

import sys

# in the order of their bits
EVENTS = (
    "- WIFI_LISTEN_BEGIN WIFI_LISTEN_UPDATE WIFI_LISTEN_END NETWORK_CREDENTIALS NETWORK_STATUS"
    " CLOUD_STATUS BUTTON_STATUS FIRMWARE_UPDATE FIRMWARE_UPDATE_PENDING RESET_PENDING RESET"
    " BUTTON_CLICK BUTTON_FINAL_CLICK TIME_CHANGED LOW_BATTERY BATTERY_STATE POWER_SOURCE"
    " OUT_OF_MEMORY BLE_PROV_MODE FIRMWARE_UPDATE_STATUS AUX_POWER_STATE"
).split()


class Subscription:
    """A handler of system events; `off()` removes it."""

    def __init__(self, client, events, handler):
        self.events = events
        self.handler = handler
        self._all = client.more.watchers
        self._all.append(self)

    def __repr__(self):
        names = [name for i, name in enumerate(EVENTS) if self.events >> i & 1]
        return "<Subscription %s%s>" % (" ".join(names), "" if self in self._all else ", off")

    def off(self):
        """Call the handler no more."""
        if self in self._all:
            self._all.remove(self)


def on(client, events, handler):
    """Have `handler(event, parameter)` called for the events whose bits are in `events`.

    Return a `Subscription`. Raises ValueError.
    """
    if not callable(handler) or not isinstance(events, int):
        raise ValueError("on(events, handler): bits such as particle.WIFI_LISTEN_BEGIN")
    return Subscription(client, events, handler)


def tell(client, name, parameter=0):
    """Call the handlers of the event `name`, which must not wait; what they raise is printed."""
    bit = 1 << EVENTS.index(name)
    for each in list(client.more.watchers):
        if each.events & bit:
            try:
                each.handler(bit, parameter)
            except Exception as e:
                sys.print_exception(e)
