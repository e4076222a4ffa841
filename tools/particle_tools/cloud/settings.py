"""What the operator decides, and the limits the gateways and REST keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """Bounds of waits (seconds of the clock) and sizes (bytes); sources in brackets."""

    handshake_s: float = 10.0  # TCP accept to decrypted Hello (cloud-protocol 1.3)
    idle_s: float = 31.0  # without a device byte (cloud-protocol 1.5)
    udp_greeting_s: float = 60.0  # UDP: good cookie to Hello; a device repeats for 45 s (2.1)
    session_days: float = 90.0  # a DTLS session nobody used is forgotten then
    answer_s: float = 20.0  # any wait for a device (rest-api 1.1)
    describe_s: float = 5.0  # from Hello to Describe, before a name counts as unknown
    ping_s: float = 5.0
    keepalive_s: float = 9.0  # of an event stream; clients give up after 13 s (rest-api 7.1)
    greeting: int = 512  # connections in the handshake at one time
    handshakes: int = 4096  # on UDP at one time; the oldest gives way
    host_handshakes: int = 64  # of one IP address; its oldest gives way
    another_hello_s: float = 1.0  # a hello in the middle of a younger handshake is dropped
    unacknowledged: int = 64  # confirmable messages to one device before events are dropped
    unsent: int = 64 * 1024  # waiting for a device that does not read
    stream_events: int = 256  # waiting for a stream reader that does not read
    body: int = 1024 * 1024  # of one REST request
    firmware: int = 16 * 1024 * 1024  # of one upload for a device
    body_s: float = 30.0  # of a request whose body does not come
    stuck_s: float = 60.0  # a stream reader that takes nothing is cut off then
    depth: int = 64  # of the arrays and objects in a JSON body
    login_failures: int = 10  # wrong passwords in a row (rest-api 14)
    address_block_s: float = 1800.0  # an address then
    name_block_s: float = 300.0  # and a user name; shorter: strangers can do this to a user
    stop_s: float = 8.0  # real seconds: to end everything, and to finish the last commits
    name: int = 64  # function, variable, event (cloud-protocol 8)
    data: int = 1024
    hook_s: float = 20.0  # a webhook's request, from the look-up to the last byte (rest-api 8)
    hook_response: int = 100 * 1024
    hook_queue: int = 256  # events that wait for one webhook before others are dropped
    hook_rate: float = 50.0  # requests of one webhook in a second


@dataclass(frozen=True)
class Metering:
    """What counts as a data operation where the documents contradict (rest-api 15.1)."""

    large_publish: str = "per-kilobyte"  # beyond 1024 bytes; the older page: "one"
    asked: int = 2  # particle/device/name and its like: request and answer; page B: 0
    repeated_publish: int = 0  # an event that came again because its ACK was lost: 0 or 1 more


@dataclass(frozen=True)
class Plan:
    """What an account may use in a month (rest-api 15.1). "off" counts and limits nothing."""

    name: str = "off"  # or "free", "growth"
    blocks: int = 1  # of the growth plan, each with its own allowance
    grace_days: float = 3.0  # from 100 % to the pause, on the free plan
    operations: int = 0  # instead of the plan's own number; 0: the plan's
    cellular_bytes: int = 0


@dataclass(frozen=True)
class Rates:
    """How often anybody may ask (rest-api 14). Kept only when `strict`."""

    strict: bool = False
    window_s: float = 300.0
    requests: int = 10_000  # of an address in a window
    credentials: int = 100  # of these such as concern tokens, users and passwords
    streams: int = 100  # event streams that are opened
    open_streams: int = 100  # of an address at one time
    serial_numbers: int = 50  # look-ups of an account
    serial_window_s: float = 3600.0
    device_events_per_s: float = 1.0  # of a device, after a burst (device-api 5)
    device_burst: int = 4


@dataclass(frozen=True)
class Logs:
    """What is written to standard error."""

    format: str = "text"  # or "json": one object a line
    level: str = "warning"  # or "debug", "info" (every request and session), "error"


@dataclass(frozen=True)
class Settings:
    """Configuration of one cloud. Port 0 takes any free port."""

    data: Path
    host: str = "127.0.0.1"
    tcp_port: int = 0
    udp_port: int = 0
    http_port: int = 0
    user: tuple[str, str] | None = None
    lan: bool = False
    time_scale: float = 1.0
    standard_dtls: bool = False  # test switch: the dialect of stacks nobody here wrote (2.9)
    webhook_hosts: tuple[str, ...] = ("*",)  # what webhooks may reach; see webhook_hosts.py
    limits: Limits = field(default_factory=Limits)
    metering: Metering = field(default_factory=Metering)
    plan: Plan = field(default_factory=Plan)
    rates: Rates = field(default_factory=Rates)
    log: Logs = field(default_factory=Logs)
    metrics: str = "token"  # who reads /metrics: "token" any user, "open" anybody, "off" nobody
    users: tuple[tuple[str, str], ...] = ()  # beside `user`: name and password
