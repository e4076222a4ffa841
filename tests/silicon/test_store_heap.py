"""The networks of a board take at most 3 kB of a 32-bit heap, ten of them in hand."""

from silicon import cortex_m3

_MOST = 3000  # bytes


def test_ten_networks(need):
    need(cortex_m3.NAME, cortex_m3.available(), cortex_m3.COMMAND)
    app = cortex_m3.TESTS / "silicon" / "m3_store_app.py"
    said = cortex_m3.run("import m3_store_app", {"m3_store_app.mpy": cortex_m3.compiled(app)})
    words = said.split()
    assert words[0] == "resident" and words[-1] == "10", said
    assert int(words[1]) < int(words[3]) <= _MOST
