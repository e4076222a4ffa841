"""What Prometheus reads at /metrics: mostly numbers that are counted anyway, put into its form."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from particle_tools import __version__

if TYPE_CHECKING:
    from particle_tools.cloud.services import Services

_PREFIX = "particle_cloud"
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
TOKEN, OPEN, OFF = "token", "open", "off"
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_TRANSPORTS = ("tcp", "udp")


class Metrics:
    """The registry of one cloud."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._commits = Histogram(
            f"{_PREFIX}_commit_seconds",
            "Time of a transaction of the database, of many writes together.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._requests = Counter(
            f"{_PREFIX}_http_requests",
            "Answered HTTP requests; status 0: the client went away.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)

    def watch(self, services: Services) -> None:
        """Read these services whenever somebody asks."""
        self._registry.register(_Reader(services))
        services.db.committed = self._commits.observe

    def request(self, method: str, route: str, status: int) -> None:
        """Count an HTTP request."""
        self._requests.labels(method, route, str(status)).inc()

    def text(self) -> bytes:
        """Return everything in the text format 0.0.4."""
        return generate_latest(self._registry)


class _Reader(Collector):
    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is does not change."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Yield the numbers of now."""
        services = self._services
        yield _gauge("build_info", "Always 1.", {(__version__,): 1}, ["version"])
        online, unacknowledged = dict.fromkeys(_TRANSPORTS, 0), 0
        for session in services.sessions.all():
            online[session.channel.transport] += 1
            unacknowledged += session.channel.facts().get("unacknowledged", 0)
        yield _gauge(
            "devices_online",
            "Devices with a session.",
            {(transport,): count for transport, count in online.items()},
            ["transport"],
        )
        yield from self._traffic()
        yield _counter(
            "refusals",
            "Devices that got no session, by the stage that failed.",
            {(stage,): count for stage, count in services.refusals.stages.items()},
            ["stage"],
        )
        yield _counter("events", "Events on the bus.", {(): services.bus.published})
        yield _gauge(
            "queue_depth",
            "What waits: writes for the database, messages for a device's acknowledgement,"
            " events for webhooks.",
            {
                ("database",): services.db.waiting,
                ("unacknowledged",): unacknowledged,
                ("webhooks",): services.webhooks.runner.waiting,
            },
            ["queue"],
        )
        yield _counter(
            "webhook_events",
            "What became of events that triggered webhooks; sent: requests, retries among them.",
            {(name,): count for name, count in asdict(services.webhooks.runner.total).items()},
            ["outcome"],
        )
        yield _gauge("event_streams", "Open event streams.", {(): len(services.streams)})

    def _traffic(self) -> Iterable[Metric]:
        total = self._services.usage.total
        messages, sizes = Tally[tuple[str, ...]](), Tally[tuple[str, ...]]()
        for kind, (up, bytes_up, down, bytes_down) in total.kinds.items():
            messages[kind, "up"], messages[kind, "down"] = up, down
            sizes[kind, "up"], sizes[kind, "down"] = bytes_up, bytes_down
        labels = ["kind", "direction"]
        yield _counter("messages", "CoAP messages from (up) and to devices.", messages, labels)
        yield _counter("message_bytes", "Bytes of CoAP messages.", sizes, labels)
        yield _counter(
            "transport_bytes",
            "Bytes of UDP payload and of TCP streams, of known devices.",
            {
                ("udp", "up"): total.datagram_up,
                ("udp", "down"): total.datagram_down,
                ("tcp", "up"): total.segment_up,
                ("tcp", "down"): total.segment_down,
            },
            ["transport", "direction"],
        )
        yield _counter("handshakes", "Full handshakes.", {(): total.handshakes})
        yield _counter("resumes", "Sessions that were resumed.", {(): total.resumes})
        yield _counter(
            "operations",
            "Data operations devices began (up), and such that came to them.",
            {("up",): total.ops_out, ("down",): total.ops_in},
            ["direction"],
        )


Values = dict[tuple[str, ...], int] | Tally[tuple[str, ...]]


def _gauge(name: str, text: str, values: Values, labels: Iterable[str] = ()) -> Metric:
    return _filled(GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=list(labels)), values)


def _counter(name: str, text: str, values: Values, labels: Iterable[str] = ()) -> Metric:
    return _filled(CounterMetricFamily(f"{_PREFIX}_{name}", text, labels=list(labels)), values)


def _filled(family: CounterMetricFamily | GaugeMetricFamily, values: Values) -> Metric:
    for labels, value in values.items():
        family.add_metric(list(labels), value)
    return family
