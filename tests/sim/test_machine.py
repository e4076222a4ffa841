"""What MicroPython code sees of the modules `machine` and `time`, against their documentation."""

import json
import time

import pytest

_HEAD = "import machine, time\nfrom machine import Pin\n"


def _refused(expression, error="ValueError"):
    return f"try:\n    {expression}\n    print('done')\nexcept {error}:\n    print('refused')\n"


def test_unique_id_is_the_boards(bench):
    board = bench.board()
    _, lines = bench.run(board, _HEAD + "print(machine.unique_id().hex())")
    assert lines == [json.loads((board.path / "board.json").read_text())["unique_id"]]


@pytest.mark.parametrize(
    "expression",
    [
        "Pin(49)",
        "Pin(-1)",
        "Pin('A1')",
        "Pin(1, 17)",
        "Pin(1, Pin.IN, 9)",
        "Pin(1).irq(print, 4)",
        "machine.freq(1000)",
        "machine.WDT(1)",
        "machine.WDT(timeout=0)",
        "machine.RTC(1)",
        "machine.RTC().memory(bytes(2049))",
        "machine.RTC().datetime((2020, 1, 1))",
    ],
)
def test_bad_arguments_are_value_errors(bench, expression):
    status, lines = bench.run(bench.board(), _HEAD + _refused(expression))
    assert (status, lines) == (0, ["refused"])


def test_what_a_board_has_and_what_it_lacks(bench):
    program = (
        _HEAD
        + """
names = ("reset soft_reset reset_cause bootloader disable_irq enable_irq freq idle sleep"
         " lightsleep deepsleep wake_reason unique_id time_pulse_us mem8 mem16 mem32"
         " PWRON_RESET HARD_RESET WDT_RESET DEEPSLEEP_RESET SOFT_RESET SLEEP DEEPSLEEP"
         " PIN_WAKE TIMER_WAKE Pin Signal RTC WDT")
print([n for n in names.split() if not hasattr(machine, n)], hasattr(machine, "Timer"))
print(machine.freq())
machine.freq(240000000)
print(machine.freq())
for name in ("network", "bluetooth", "esp32", "neopixel"):
    try:
        __import__(name)
        print(name)
    except ImportError:
        pass
"""
    )
    _, lines = bench.run(bench.board(), program)
    assert lines == ["[] False", "160000000", "240000000", "network", "esp32"]


def test_outputs_show_in_pins_json(bench):
    board = bench.board()
    program = (
        _HEAD
        + """
led = Pin(2, Pin.OUT, value=1)
print(led(), led.value())
led.off()
print(led(), led)
led.toggle()
machine.Signal(Pin(5, Pin.OUT), invert=True).on()
s = machine.Signal(Pin(6, Pin.OUT), invert=True)
s.off()
print(s.value(), Pin(6).value())
"""
    )
    _, lines = bench.run(board, program)
    assert lines == ["1 1", "0 Pin(2)", "0 1"]
    assert json.loads((board.path / "pins.json").read_text()) == {
        "2": {"mode": "OUT", "value": 1},
        "5": {"mode": "OUT", "value": 0},
        "6": {"mode": "OUT", "value": 1},
    }


def test_inputs_follow_pulls_and_the_world(bench):
    board = bench.board()
    radio = board.path / "radio.json"
    program = (
        _HEAD
        + """
print(Pin(1).value(), Pin(1, Pin.IN, Pin.PULL_UP).value(), Pin(3, Pin.IN, Pin.PULL_DOWN).value())
od = Pin(4, Pin.OPEN_DRAIN, Pin.PULL_UP, value=1)
print(od.value(), od.value(0), od.value())
print("go")
p = Pin(7, Pin.IN)
while p.value() == 0:
    time.sleep_ms(5)
print("high", Pin(4).value(), Pin(1).value())
"""
    )
    sim = bench.start(board, program)
    sim.wait_for("go")
    radio.write_text("{")  # half written: ignored
    time.sleep(0.05)
    radio.write_text(json.dumps({"pins": {"7": 1, "1": 0}}))
    assert sim.wait() == 0
    assert sim.lines == ["0 1 0", "1 None 0", "go", "high 0 0"]


def test_pin_interrupts(bench):
    board = bench.board()
    radio = board.path / "radio.json"
    radio.write_text('{"pins": {"9": 1}}')
    program = (
        _HEAD
        + """
import asyncio
seen = []
def pressed(pin):
    seen.append((pin, pin.value()))
button = Pin(9, Pin.IN)
irq = button.irq(pressed, Pin.IRQ_FALLING)
print("sleep")
while not seen:
    time.sleep_ms(2000)
print(seen)
irq.trigger(Pin.IRQ_RISING)
seen.clear()
async def waits():
    print("asyncio")
    while not seen:
        await asyncio.sleep_ms(50)
asyncio.run(waits())
print(seen)
state = machine.disable_irq()
seen.clear()
print("light")
t = time.ticks_ms()
machine.lightsleep(300)
print(len(seen), time.ticks_diff(time.ticks_ms(), t) >= 300)
machine.enable_irq(state)
irq.trigger(3)
print("wake")
t = time.ticks_ms()
machine.lightsleep(50000)
print(time.ticks_diff(time.ticks_ms(), t) < 50000)
button.irq(None)
"""
    )
    sim = bench.start(board, program)
    for text, level in (("sleep", 0), ("asyncio", 1), ("wake", 0)):
        sim.wait_for(text)
        time.sleep(0.1)
        radio.write_text(json.dumps({"pins": {"9": level}}))
    assert sim.wait() == 0
    assert sim.lines == [
        "sleep",
        "[(Pin(9), 0)]",
        "asyncio",
        "[(Pin(9), 1)]",
        "light",
        "0 True",
        "wake",
        "True",
    ]


def test_feeding_the_watchdog_allocates_nothing(bench):
    program = (
        _HEAD
        + """
import gc, micropython
w = machine.WDT(timeout=5000)
w.feed()
micropython.heap_lock()
w.feed()
micropython.heap_unlock()
print("fed")
"""
    )
    sim = bench.start(bench.board(), program)
    sim.wait_for("fed")


def test_time_is_whole_seconds_of_an_8_tuple(bench):
    program = (
        _HEAD
        + """
t = time.time()
print(type(t), time.gmtime(0), time.gmtime(t)[:3], time.localtime()[:3])
print(time.mktime((2030, 1, 2, 3, 4, 5, 0, 0)), 0 <= time.time_ns() // 1000000000 - t < 60)
"""
    )
    _, lines = bench.run(bench.board(), program + _refused("time.mktime((1, 2))", "TypeError"))
    assert lines == [
        "<class 'int'> (1970, 1, 1, 0, 0, 0, 3, 1) (2000, 1, 1) (2000, 1, 1)",
        "1893553445 True",
        "refused",
    ]


def test_time_scale(bench):
    program = (
        _HEAD
        + """
import asyncio, select
def spent(work):
    # each is within the one before it, but for the rounding: a busy host may be anywhere
    w, u, t = time.time(), time.ticks_us(), time.ticks_ms()
    work()
    ms = time.ticks_diff(time.ticks_ms(), t)
    us = time.ticks_diff(time.ticks_us(), u)
    print(ms // 1000, us // 1000000, time.time() - w >= ms // 1000 - 1)
spent(lambda: time.sleep(60))
spent(lambda: time.sleep_ms(60000))
spent(lambda: machine.lightsleep(60000))
spent(lambda: select.poll().poll(60000))
async def minute():
    await asyncio.sleep(60)
async def three():
    await asyncio.gather(*[minute() for _ in range(3)])
    try:
        await asyncio.wait_for(forever(), 30)
    except asyncio.TimeoutError:
        pass
async def forever():
    await asyncio.Event().wait()
spent(lambda: asyncio.run(three()))
if machine.reset_cause() == 1:
    machine.deepsleep(60000)
"""
    )
    start = time.monotonic()
    status, lines = bench.run(bench.board(), program, "--time-scale", "300")
    real = time.monotonic() - start
    assert status == 0
    for _ in range(2):
        for lowest in (60, 60, 60, 60, 90):
            seconds, also, wall = lines.pop(0).split()
            # 10 s of a busy host are 3000 of the board
            assert lowest <= int(seconds) < lowest + 3000
            assert -1 <= int(also) - int(seconds) < 3000
            assert wall == "True"
    # 720 board seconds; `run` gives it 60
    assert real > 2.2
    for wrong in ("0", "-1", "nan", "inf"):
        status, lines = bench.run(bench.board(name=wrong), "pass", f"--time-scale={wrong}")
        assert (status, len(lines)) == (1, 1)


def test_dns_comes_from_the_simulated_network(bench):
    board = bench.board()
    program = "import particle_board; print(repr(particle_board.DNS))"
    (board.path / "radio.json").write_text('{"dns": "127.0.0.1:5353"}')
    _, lines = bench.run(board, program)
    assert lines == ["'127.0.0.1:5353'"]
