"""Particle Device Cloud for MicroPython: every verb acts on the default client `particle.cloud`.

Names and behaviour: device-api section 13.
"""

from .client import Cloud
from .errors import AuthError as AuthError
from .errors import ConfigError as ConfigError
from .errors import Disconnected as Disconnected
from .errors import Error as Error
from .errors import ProtocolError as ProtocolError
from .errors import QueueFull as QueueFull
from .errors import UpdateError as UpdateError
from .operation import Publish as Publish
from .operation import Variable as Variable

version = "0.1.0"

_default = None


def _cloud():
    global _default
    if _default is None:
        _default = Cloud()
    return _default


def __getattr__(name):
    if name == "cloud":
        return _cloud()
    if name == "device_id":
        return _cloud().device_id
    raise AttributeError(name)


def config(key=None, **values):
    return _cloud().config(key, **values)


def server(host, port=None, *, key=None):
    return _cloud().server(host, port, key=key)


def connect(timeout=None, *, background=True):
    return _cloud().connect(timeout, background=background)


def connected():
    return _cloud().connected()


def disconnected():
    return _cloud().disconnected()


def disconnect(*, graceful=False, timeout=30, clear_session=False):
    return _cloud().disconnect(graceful=graceful, timeout=timeout, clear_session=clear_session)


def process():
    return _cloud().process()


def run():
    return _cloud().run()


def run_forever():
    return _cloud().run_forever()


def wait_until(condition, timeout=None):
    return _cloud().wait_until(condition, timeout)


def publish(name, data=None, *, ack=None, ttl=60, content_type=None, timeout=20, persist=False):
    return _cloud().publish(
        name,
        data,
        ack=ack,
        ttl=ttl,
        content_type=content_type,
        timeout=timeout,
        persist=persist,
    )


def subscribe(prefix, handler=None, *, structured=False, binary=False):
    return _cloud().subscribe(prefix, handler, structured=structured, binary=binary)


def unsubscribe(prefix=None):
    return _cloud().unsubscribe(prefix)


def function(name, handler=None):
    return _cloud().function(name, handler)


def variable(name, value_or_callable=None, *, type=None):
    return _cloud().variable(name, value_or_callable, type=type)
