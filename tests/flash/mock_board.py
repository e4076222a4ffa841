"""A board at a serial port: esp32-mock-bootloader behind a pseudo-terminal, a process of its own.

`python mock_board.py CHIP MEGABYTES BLOCKS FILE` writes the path of its port to FILE, and at
SIGUSR1 all that its flash holds to FILE.flash. The package's chips have 4 MB of flash; other sizes
are told to it here, with the matching JEDEC id. BLOCKS: after so many written ones it is gone,
0 = never.
"""

import os
import signal
import subprocess
import sys
import time

LIMIT = 60  # seconds
_CAPACITY = 16  # of the JEDEC id: 2 ** n bytes


class MockBoard:
    """A chip with blank flash at `port`; after `blocks` written ones it is unplugged."""

    def __init__(self, folder, chip, megabytes=4, blocks=0):
        path = self._path = folder / f"port-{chip}-{time.monotonic_ns()}"
        self.process = subprocess.Popen(
            [sys.executable, __file__, chip, str(megabytes), str(blocks), str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait(lambda: path.exists() and path.read_text().strip())
        self.port = path.read_text().strip()
        # while somebody has it open nobody else gets a terminal of this name
        self._held = os.open(self.port, os.O_RDWR | os.O_NOCTTY)

    def contents(self):
        """Return what is in its flash, without asking the chip: quicker than reading it."""
        out = self._path.with_name(f"{self._path.name}.flash")
        out.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        self._wait(out.exists)
        return out.read_bytes()

    def _wait(self, condition):
        end = time.monotonic() + LIMIT
        while not condition():
            assert self.process.poll() is None and time.monotonic() < end
            time.sleep(0.01)

    def kill(self):
        """Take it away."""
        self.process.kill()
        self.process.wait()
        os.close(self._held)


def esptool(port, chip, *arguments):
    """Run esptool as a program and return what it says."""
    options = ["--chip", chip, "--port", port, "--before", "no-reset", "--after", "no-reset"]
    done = subprocess.run(
        [sys.executable, "-m", "esptool", *options, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def _serve(chip, megabytes, blocks, path):
    from esp32_mock_bootloader import protocol, server

    # Its sessions end 3 s after the first of several files, and when an acknowledgement of the
    # host takes 50 ms: a busy machine is slower.
    server._FLASH_END_IDLE_SEC = float("inf")
    server._CLIENT_RECV_TIMEOUT = LIMIT
    size = int(megabytes) << 20
    protocol.FLASH_MOCK_SIZE = size
    protocol.MOCK_FLASH_ID = (size.bit_length() - 1) << _CAPACITY | 0x4020

    left = [int(blocks)]

    def or_gone(write):
        def once(flash, payload):
            left[0] -= 1
            if left[0] == 0:
                os._exit(1)
            write(flash, payload)

        return once

    def dump(_number, _frame):
        with open(f"{path}.new", "wb") as out:
            out.write(server.get_flash_image().data)
        os.replace(f"{path}.new", f"{path}.flash")

    flash = server.FlashImage
    flash.write_defl_block = or_gone(flash.write_defl_block)
    flash.write_plain_block = or_gone(flash.write_plain_block)
    signal.signal(signal.SIGUSR1, dump)
    server.run_pty_server(None, path, chip)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
