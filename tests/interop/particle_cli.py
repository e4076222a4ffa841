"""particle-cli, Particle's own command line tool, with a home folder of its own."""

import os
import platform
import re
import subprocess
import threading

import pexpect

from interop import node

PACKAGES = node.Packages("particle-cli")

_ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LIMIT_S = 60


class Result:
    """How a command ended. text: what it printed, without colours and cursor movements."""

    def __init__(self, code, text):
        self.code = code
        self.text = plain(text)

    def __repr__(self):
        return f"exit {self.code}: {self.text}"


def plain(text):
    """Return text without what only a terminal understands."""
    return _TERMINAL.sub("", text).replace("\r", "")


class Cli:
    """The tool with one home folder; nobody is logged in at first."""

    def __init__(self, packages, home):
        home.mkdir(parents=True)
        self._home = home
        machine = _ARCHITECTURES[platform.machine()]
        modules = packages / "node_modules"
        self._command = [
            str(modules / f"node-linux-{machine}" / "bin" / "node"),
            str(modules / "particle-cli" / "src" / "index.js"),
        ]
        kept = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        self._environment = {**kept, "HOME": str(home), "PARTICLE_DISABLE_UPDATE": "1"}

    def __call__(self, *arguments, fails=False):
        """Run a command to its end; it must succeed, or not."""
        done = subprocess.run(
            [*self._command, *map(str, arguments)],
            cwd=self._home,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        result = Result(done.returncode, done.stdout)
        assert (result.code != 0) == fails, (arguments, result)
        # What a user meets is never a fault of the program.
        assert "TypeError" not in result.text and "SyntaxError" not in result.text, result
        return result.text

    def begin(self, *arguments):
        """Start a command that goes on."""
        return Running([*self._command, *map(str, arguments)], self._home, self._environment)

    def ask(self, *arguments, answers):
        """Run a command in a terminal; answers: (what it asks, the line typed then)."""
        program, *rest = [*self._command, *map(str, arguments)]
        child = pexpect.spawn(
            program,
            rest,
            cwd=str(self._home),
            env=self._environment,
            encoding="utf-8",
            timeout=_LIMIT_S,
        )
        try:
            text = ""
            for question, answer in answers:
                child.expect(question)
                text += child.before + child.after
                child.sendline(answer)
            child.expect(pexpect.EOF)
            text += child.before
        finally:
            child.close()
        return Result(child.exitstatus, text)


class Running:
    """A command that runs. lines: what it has printed."""

    def __init__(self, command, folder, environment):
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.lines.append(plain(line).strip())

    def over(self):
        """Tell whether it has ended."""
        return self._process.poll() is not None

    def stop(self):
        """End it; return all that it printed."""
        if not self.over():
            self._process.kill()
        self._process.wait(_LIMIT_S)
        self._reader.join(_LIMIT_S)
        return "\n".join(self.lines)
