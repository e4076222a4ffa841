"""Ctrl-C at the prompt, in every verb that waits: afterwards everything goes on."""

import signal

import pytest

from e2e.remote_prompt import RemotePrompt
from particle_tools.local import LocalCloud, SimulatedBoard

# The cloud is silent meanwhile: each of these would wait for long.
VERBS = (
    'particle.publish("never", "1", ack=True)',
    "particle.wait_until(lambda: False)",
    "particle.get_name(100)",
    "particle.get_ip(100)",
    "particle.get_random(100)",
    "particle.sync_time()",
    "particle.run()",
    "asyncio.run(particle.run_forever())",
    "asyncio.run(nap())",
    "particle.disconnect(); particle.setup.start()",
    "particle.disconnect(graceful=True)",
    "particle.disconnect(clear_session=True); particle.connect(100)",
)
# Over TCP nobody acknowledges what was not asked for.
ACKNOWLEDGED = (
    'op = particle.publish("never", "2"); op.wait()',
    'op = particle.publish("never", "3"); bool(op)',
    'op = particle.publish("never", "4"); particle.flush(100)',
)


# `go` is printed when the verb that follows `soon()` waits. Everything is loaded before.
PREPARED = (
    "import asyncio, time, particle",
    'def go(t):\nprint("g" + "o")',
    "def soon():\nparticle.cloud._jobs[go] = (time.ticks_ms() + 200) & 0x3FFFFFFF",
    "async def nap():\ngo(0)\nawait asyncio.sleep(99)",
    "particle.setup.start(wait=False)",
    "particle.wait_until(lambda: False, 0.5)",
    "particle.setup.stop()",
    "particle.connect(40)",
    "particle.get_name(), particle.sync_time(), particle.flush(5), particle.run_forever",
    "particle.disconnect(graceful=True)",
)


@pytest.mark.parametrize("transport", ["udp", pytest.param("tcp", marks=pytest.mark.soak)])
def test_in_every_verb_that_waits(tmp_path, transport):
    cloud = LocalCloud(tmp_path)
    board = None
    try:
        board = SimulatedBoard(tmp_path / "board", cloud, pty=True, transport=transport)
        events = cloud.api().events()
        with RemotePrompt(board.serial) as prompt:
            for line in PREPARED:
                prompt.lines(line.split("\n"))
            for verb in VERBS + (ACKNOWLEDGED if transport == "udp" else ()):
                assert connects(prompt), verb
                cloud.process.send_signal(signal.SIGSTOP)
                prompt.interrupted(f"soon(); {verb}")
                cloud.process.send_signal(signal.SIGCONT)
            assert connects(prompt)
            prompt.line("particle.wait_until(particle.can_publish, 5)")
            said = prompt.line('particle.publish("after", "all", ack=True)')
            assert said.startswith("<Publish after sent "), said
        assert events.wait("after", 30)["data"] == "all"
        events.close()
    finally:
        cloud.process.send_signal(signal.SIGCONT)
        if board:
            board.stop()
        cloud.stop()


def connects(prompt):
    """Connect, and wait until the connection is sure."""
    said = prompt.line("particle.connect(40)")
    return said.endswith("True") or "connected as" in said
