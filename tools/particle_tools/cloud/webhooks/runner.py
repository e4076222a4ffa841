"""Carries webhooks out beside everything else: bounded queues, pace, retries, sleep, answers.

`offer` returns at once: a device's acknowledgement never waits for a hook. What waits here is
lost when the cloud ends, as is a request that is on its way; definitions are not (webhooks.py).
Events published here never trigger a webhook.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections import deque
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from particle_tools.cloud import strict_json
from particle_tools.cloud.clock import Clock
from particle_tools.cloud.events import Bus, Event
from particle_tools.cloud.registry import Sessions
from particle_tools.cloud.settings import Limits
from particle_tools.cloud.webhooks import addresses
from particle_tools.cloud.webhooks.definitions import RESERVED
from particle_tools.cloud.webhooks.requests import Answer, Failure, Requests, Trigger, build
from particle_tools.cloud.webhooks.templates import TemplateError

if TYPE_CHECKING:
    from particle_tools.cloud.webhooks.hooks import Webhook

_LOG = logging.getLogger("particle.cloud")
_CORE_ID = "particle-internal"
_AT_ONCE = 4  # requests of one hook
_RETRY_S = (30.0, 60.0)  # after a failure that may pass
_ERRORS = 10  # in a row, then the hook sleeps
_SLEEP_S = 60.0
_SLEEPING = "Sleeping, too many errors, please wait and try again"
_COMPLAINT_S = 1.0  # between two hook-errors about events that were not tried at all
_BURST_S = 4.0  # of events at the rate are taken at once
_PART = 512
_AHEAD = 8  # parts published without a look at the devices
_LOOK_S = 0.25
_TOPIC = 128
_ERROR = 512


@dataclass
class Counters:
    """What became of the events that triggered a hook, since the cloud started."""

    triggered: int = 0
    sent: int = 0  # requests, retries among them
    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    dropped: int = 0  # the queue was full
    skipped: int = 0  # the hook was sleeping, or was disabled meanwhile


@dataclass
class _Job:
    trigger: Trigger
    failures: int = 0


@dataclass
class _Lane:
    """One hook at work."""

    hook: Webhook
    jobs: deque[_Job] = field(default_factory=deque)
    tasks: set[asyncio.Task] = field(default_factory=set)
    counters: Counters = field(default_factory=Counters)
    working: int = 0
    retrying: int = 0
    errors: int = 0  # in a row
    awake: float = 0.0  # when it may go on; in monotonic time
    paced: float = float("-inf")  # when the last event was due at the rate
    complained: float = float("-inf")
    last_error: str | None = None

    def state(self) -> dict[str, Any]:
        """Return what REST shows."""
        return asdict(self.counters) | {
            "waiting": len(self.jobs) + self.retrying,
            "last_error": self.last_error,
        }


class Runner:
    """Every hook's lane."""

    def __init__(
        self, clock: Clock, limits: Limits, bus: Bus, sessions: Sessions, requests: Requests
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._bus = bus
        self._sessions = sessions
        self._requests = requests
        self._lanes: dict[str, _Lane] = {}
        self.total = Counters()  # of all hooks, deleted ones too
        self._closed = False
        self.publishing = False  # an event of ours is being handed out

    def offer(self, hook: Webhook, trigger: Trigger) -> None:
        """Queue an event for a hook; never waits. What does not fit is dropped and counted."""
        if self._closed:
            return
        lane = self._lane(hook)
        self._count(lane, "triggered")
        if self._asleep(lane):
            self._count(lane, "skipped")
            self._complain(lane, trigger, _SLEEPING)
        elif len(lane.jobs) + lane.retrying >= self._limits.hook_queue:
            self._count(lane, "dropped")
            self._complain(lane, trigger, "too many events wait for this webhook: one was dropped")
        else:
            lane.jobs.append(_Job(trigger))
            self._more(lane)

    def state(self, hook: Webhook) -> dict[str, Any]:
        """Return the counters of a hook as REST shows them."""
        return self._lane(hook).state()

    def changed(self, hook: Webhook) -> None:
        """Go on with another definition; a sleeping hook wakes."""
        lane = self._lanes.get(hook.id)
        if lane is not None:
            lane.hook, lane.errors, lane.awake = hook, 0, 0.0

    def removed(self, hook_id: str) -> None:
        """Forget a hook and everything that waits for it; its requests are broken off."""
        lane = self._lanes.pop(hook_id, None)
        if lane is not None:
            lane.jobs.clear()
            for task in lane.tasks:
                task.cancel()

    def check_url(self, text: str) -> None:
        """Raise Failure for a URL without templates that leads where no webhook may go."""
        self._requests.check_host(addresses.parse(text))

    async def test(self, hook: Webhook, trigger: Trigger) -> None:
        """Send one request, without events and without retries. Raises Failure."""
        await self._requests.send(build(hook.fields, hook.compiled, trigger))

    async def close(self) -> None:
        """Break everything off; what is offered from now on is nothing."""
        self._closed = True
        tasks = [task for lane in self._lanes.values() for task in lane.tasks]
        for hook_id in list(self._lanes):
            self.removed(hook_id)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._requests.close()

    @property
    def waiting(self) -> int:
        """The number of events that wait for hooks."""
        return sum(len(lane.jobs) + lane.retrying for lane in self._lanes.values())

    def _count(self, lane: _Lane, name: str) -> None:
        for counters in (lane.counters, self.total):
            setattr(counters, name, getattr(counters, name) + 1)

    def _lane(self, hook: Webhook) -> _Lane:
        lane = self._lanes.get(hook.id)
        if lane is None:
            lane = self._lanes[hook.id] = _Lane(hook)
        return lane

    def _asleep(self, lane: _Lane) -> bool:
        return lane.errors >= _ERRORS and self._clock.monotonic() < lane.awake

    def _spawn(self, lane: _Lane, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        lane.tasks.add(task)
        task.add_done_callback(lane.tasks.discard)

    def _more(self, lane: _Lane) -> None:
        # After a sleep one request finds out whether the others are worth sending.
        if lane.working < (1 if lane.errors >= _ERRORS else _AT_ONCE):
            lane.working += 1
            self._spawn(lane, self._work(lane))

    async def _work(self, lane: _Lane) -> None:
        try:
            while lane.jobs and not self._asleep(lane):
                job = lane.jobs.popleft()
                await self._pace(lane)
                await self._attempt(lane, job)
        finally:
            lane.working -= 1
        while lane.jobs and self._asleep(lane):
            self._count(lane, "skipped")
            self._complain(lane, lane.jobs.popleft().trigger, _SLEEPING)
        if lane.jobs:
            self._more(lane)

    async def _pace(self, lane: _Lane) -> None:
        now, rate = self._clock.monotonic(), self._limits.hook_rate
        due = max(lane.paced, now - _BURST_S)
        lane.paced = due + 1 / rate
        if due > now:
            await self._clock.sleep(due - now)

    async def _attempt(self, lane: _Lane, job: _Job) -> None:
        hook, trigger = lane.hook, job.trigger
        if hook.fields["disabled"]:
            self._count(lane, "skipped")
            return
        try:
            request = build(hook.fields, hook.compiled, trigger)
            answer = await self._requests.send(request, partial(self._sent, lane, hook, trigger))
            await self._respond(hook, trigger, answer)
        except Failure as failure:
            self._failed(lane, job, failure)
        except Exception as error:  # noqa: BLE001 - one event must not end the lane
            _LOG.exception("webhook %s failed", hook.id)
            self._failed(lane, job, Failure(f"internal error: {type(error).__name__}"))
        else:
            self._count(lane, "succeeded")
            lane.errors = 0

    def _sent(self, lane: _Lane, hook: Webhook, trigger: Trigger) -> None:
        self._count(lane, "sent")
        self._publish(hook, f"hook-sent/{trigger.event.name}", b"")

    def _failed(self, lane: _Lane, job: _Job, failure: Failure) -> None:
        self._count(lane, "failed")
        lane.errors += 1
        if lane.errors >= _ERRORS:
            lane.awake = self._clock.monotonic() + _SLEEP_S
        self._error(lane, job.trigger, str(failure))
        if failure.transient and job.failures < len(_RETRY_S) and lane.errors < _ERRORS:
            wait = _RETRY_S[job.failures]
            job.failures += 1
            lane.retrying += 1
            self._spawn(lane, self._again(lane, job, wait))

    async def _again(self, lane: _Lane, job: _Job, wait: float) -> None:
        try:
            await self._clock.sleep(wait)
        finally:
            lane.retrying -= 1
        if self._asleep(lane):
            self._count(lane, "skipped")
            self._complain(lane, job.trigger, _SLEEPING)
            return
        self._count(lane, "retried")
        lane.jobs.append(job)
        self._more(lane)

    # What is published.

    def _publish(self, hook: Webhook, name: str, data: bytes) -> None:
        event = Event(name, data, _CORE_ID, hook.owner, self._clock.time())
        self.publishing = True
        try:
            self._bus.publish(event)
        finally:
            self.publishing = False

    def _complain(self, lane: _Lane, trigger: Trigger, text: str) -> None:
        # Of a flood of events one in a while is named; the counters have them all.
        now = self._clock.monotonic()
        if now - lane.complained < _COMPLAINT_S:
            return
        lane.complained = now
        # Later: others may not have heard the event yet that this is about.
        asyncio.get_running_loop().call_soon(self._error, lane, trigger, text)

    def _error(self, lane: _Lane, trigger: Trigger, text: str) -> None:
        hook = lane.hook
        lane.last_error = text
        try:
            topic = _topic(hook, trigger, "errorResponseTopic", "hook-error")
        except Failure:
            topic = f"hook-error/{trigger.event.name}"
        data = text.encode(errors="replace")[:_ERROR]
        self._publish(hook, f"{topic}/0", data.decode(errors="ignore").encode())

    async def _respond(self, hook: Webhook, trigger: Trigger, answer: Answer) -> None:
        topic = _topic(hook, trigger, "responseTopic", "hook-response")
        data = _response(hook, trigger, answer)
        if len(data) > self._limits.hook_response:
            raise Failure(f"the response has more than {self._limits.hook_response} bytes")
        if hook.fields["unchunked"]:
            if len(data) > self._limits.data:
                raise Failure(
                    f"the response of {len(data)} bytes is larger than the"
                    f" {self._limits.data} of one event"
                )
            self._publish(hook, f"{topic}/0", data)
            return
        for number, part in enumerate(_split(data)):
            if number >= _AHEAD:
                await self._devices_have_room(hook, topic)
            self._publish(hook, f"{topic}/{number}", part)

    async def _devices_have_room(self, hook: Webhook, topic: str) -> None:
        # A device that acknowledges slowly would lose the parts that exceed its queue.
        end = self._clock.monotonic() + self._limits.answer_s
        event = Event(f"{topic}/", b"", _CORE_ID, hook.owner, 0.0)
        audience = [
            session
            for session in self._sessions.all()
            if session.owner == hook.owner and any(s.wants(event) for s in session.subscriptions)
        ]
        while any(not s.closed and s.channel.crowded() for s in audience):
            if self._clock.monotonic() >= end:
                return
            await self._clock.sleep(_LOOK_S)


def _topic(hook: Webhook, trigger: Trigger, field_name: str, kind: str) -> str:
    template = hook.fields.get(field_name)
    if not template:
        topic = f"{kind}/{trigger.event.name}"
        return topic if hook.product is None else f"{trigger.event.core_id}/{topic}"
    try:
        topic = hook.compiled.render(template, *trigger.scopes())
    except TemplateError as error:
        raise Failure(f"{field_name}: {error}") from error
    if not 0 < len(topic.encode(errors="replace")) <= _TOPIC or not topic.isprintable():
        raise Failure(f"{field_name} gives no name of an event with this data")
    if topic.startswith(RESERVED):
        raise Failure(f"{field_name}: names that begin with {RESERVED} are the system's")
    return topic


def _response(hook: Webhook, trigger: Trigger, answer: Answer) -> bytes:
    template = hook.fields.get("responseTemplate")
    if template is not None:
        try:
            body = strict_json.loads(answer.data)
        except (ValueError, RecursionError) as error:
            raise Failure(f"{answer.host} gives no JSON for the responseTemplate") from error
        _, variables = trigger.scopes()
        try:
            return hook.compiled.render(template, body, variables).encode(errors="replace")
        except TemplateError as error:
            raise Failure(f"responseTemplate: {error}") from error
    if hook.fields["dataUrlResponseEvent"]:
        data = base64.b64encode(answer.data).decode()
        return f"data:{answer.content_type};base64,{data}".encode()
    return answer.data


def _split(data: bytes) -> list[bytes]:
    """Return parts of at most 512 bytes that cut no UTF-8 character; one empty part of nothing."""
    parts, begin = [], 0
    while begin < len(data) or not parts:
        end = min(begin + _PART, len(data))
        if end < len(data):
            for back in range(4):  # a character has four bytes at most
                if data[end - back] & 0xC0 != 0x80:
                    end -= back
                    break
        parts.append(data[begin:end])
        begin = end
    return parts
