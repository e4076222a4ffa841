"""`particle-mp sim`: one simulated board in a directory (DESIGN 4)."""

import argparse
import json
import math
import os
import re
from pathlib import Path

from particle_tools import arguments
from particle_tools.errors import UserError

HELP = "run a simulated board; a second start with the same --data is its next boot"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument(
        "--data", type=arguments.folder, required=True, metavar="DIR", help="the board"
    )
    parser.add_argument("--transport", choices=("udp", "tcp"), help="default: udp")
    first = parser.add_argument_group("the first start with a DIR needs")
    first.add_argument("--cloud", metavar="URL", help="REST address of the cloud")
    first.add_argument("--user", metavar="NAME:PASSWORD", help="who will own the device")
    parser.add_argument("--server", metavar="HOST:PORT", help="address to dial (stored)")
    parser.add_argument("--device-id", metavar="HEX", help="24 digits; default: random")
    parser.add_argument(
        "--blank",
        action="store_true",
        help="a new board is as from the shop: no keys, known to nobody (`particle-mp provision`)",
    )
    parser.add_argument(
        "--esp32",
        action="store_true",
        help="a new board has the partitions of an ESP32: its firmware can be replaced too",
    )
    parser.add_argument(
        "--mboot",
        action="store_true",
        help="a new board is an STM32 with mboot: its firmware can be replaced too",
    )
    parser.add_argument(
        "--romfs",
        action="store_true",
        help="a new board runs its applications from two regions of the flash, as ROMFS images",
    )
    parser.add_argument(
        "--script",
        type=Path,
        metavar="FILE.py",
        help="run as main.py; the status is 1 when it raised",
    )
    parser.add_argument(
        "--pty", action="store_true", help="offer a serial port for mpremote; runs until stopped"
    )
    parser.add_argument(
        "--cut",
        default="",
        metavar="N[:TEAR]",
        help="power fails in the Nth operation on flash or NVS since power-on, status 80;"
        " TEAR = how much of it happens: none, half (default), most, all",
    )
    parser.add_argument(
        "--time-scale", type=float, default=1.0, metavar="X", help="board seconds per second"
    )
    parser.add_argument("--json", action="store_true", help="print `ready {json}` first")


def run(args: argparse.Namespace) -> int:
    """Make the board if it is new and run it until it ends or is stopped."""
    if not math.isfinite(args.time_scale) or args.time_scale <= 0:
        raise UserError(f"--time-scale {args.time_scale}: a positive number is needed")
    if args.cut and not re.fullmatch(r"[1-9][0-9]*(:(none|half|most|all))?", args.cut):
        raise UserError(f"--cut {args.cut}: expected N or N:none|half|most|all with N >= 1")
    if args.script and not (args.script.is_file() and os.access(args.script, os.R_OK)):
        raise UserError(f"--script {args.script}: cannot be read")
    # late: littlefs and ptys are not needed to refuse an argument
    from particle_tools.sim import first_start
    from particle_tools.sim.board_dir import ROM_BYTES, BoardDir
    from particle_tools.sim.serial_port import SerialPort
    from particle_tools.sim.supervisor import Supervisor

    board = BoardDir(args.data)
    lock = board.lock()
    device_id = board.unique_id(args.device_id)
    if args.esp32 and not board.flash.exists():
        from particle_tools import __version__
        from particle_tools.sim import esp32

        esp32.make(board, esp32.firmware(None, __version__))
    if args.mboot and not board.flash.exists():
        from particle_tools.sim import stm32

        stm32.make(board, stm32.firmware(None))
    if args.romfs and not board.flash.exists():
        board.rom.write_bytes(b"\xff" * ROM_BYTES)
    if board.flash.exists():
        first_start.change(board, args.transport, args.server)
    elif args.blank:
        first_start.make_blank(board)
    else:
        if not args.cloud or not args.user:
            raise UserError(f"{args.data} holds no board yet: a new one needs --cloud and --user")
        first_start.make(
            board,
            device_id,
            args.transport or "udp",
            cloud=args.cloud,
            user=args.user,
            server=args.server,
        )
    if args.mboot:
        from particle_tools.sim import stm32

        stm32.stock(board, stm32.firmware(None))
    port = SerialPort() if args.pty else None
    if args.json:
        ready = {"device_id": device_id, "data": str(board.path), "serial": port and port.path}
        print("ready", json.dumps(ready), flush=True)
    elif port:
        print("serial", port.path, flush=True)
    return Supervisor(
        board,
        lock,
        script=args.script,
        port=port,
        cut=args.cut,
        scale=args.time_scale,
    ).run()
