"""The first ten minutes as the guide has them, with particle-cli 3.51.0, unchanged."""

import contextlib
import re
import shlex

import pytest

from e2e.remote_prompt import RemotePrompt, matches
from first_device import USER, Desk, blocks, statements
from interop import node, particle_cli
from interop.particle_cli import Cli
from particle_tools.local import wait_for

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def desk(tmp_path):
    """Give the desk."""
    with contextlib.ExitStack() as stack:
        yield Desk(tmp_path, stack)


def test_from_the_laptop(need, desk, tmp_path):
    packages = particle_cli.PACKAGES.find()
    need("particle-cli (npm)", packages, node.COMMAND)
    cli = Cli(packages, tmp_path / "home")
    _, make, _, laptop, *_ = blocks("sh")
    lines = [line for line in make.splitlines() if "particle-mp provision" in line]
    desk.shell("\n".join(lines))
    text = laptop.replace("http://127.0.0.1:8080", desk.cloud.url)
    commands = [shlex.split(part) for line in text.splitlines() for part in line.split(" && ")]
    assert {words[0] for words in commands} == {"particle"}
    assert ":".join((commands[2][3], commands[2][5])) == USER
    said = {}
    with RemotePrompt(desk.port) as prompt:
        for lines, expected in statements(blocks("pycon")[0]):
            shown = prompt.lines(lines)
            assert matches(shown, expected), (lines, shown)
        prompt.begin("particle.run()\r")
        for words in commands[:-1]:
            said[words[1]] = cli(*words[1:])
        stream = cli.begin(*commands[-1][1:])
        try:
            assert wait_for(lambda: any("ubscrib" in line for line in stream.lines), 60)
            prompt.type("\x03")

            def heard():
                prompt.line('particle.publish("hello", "world", ack=True)')
                return [line for line in stream.lines if '"data":"world"' in line]

            (line, *_) = wait_for(heard, 60, pause=1)
        finally:
            stream.stop()
    assert re.search(r"first \[[0-9a-f]{24}\].* is online", said["list"])
    assert "temp (double)" in said["list"] and "int led (String args)" in said["list"]
    assert said["call"].strip() == "1"
    assert said["get"].strip() == "21.5"
    assert '"name":"hello"' in line and '"ttl":60' in line and '"coreid":"' in line
