"""Whom a board connects to, and as what."""

from particle_tools.on_board._common import json, open_place


def run(values, key_name, key):
    """Store settings and the server's key where they differ; return what was changed."""
    store = open_place()
    saved = {}
    data = store.read("config.json")
    if data is not None:
        try:
            saved = json.loads(data)
            version = saved.get("v")
        except (ValueError, AttributeError):
            saved, version = {}, None  # damaged: made anew
        if isinstance(version, int) and version > 1:
            raise ValueError("config.json is of a newer version: update the library")
    record = dict(saved)
    record.update(values)
    record["v"] = 1
    changed = []
    other_key = store.read(key_name) != key
    for name in ("server", "transport", "device_id"):
        if other_key or saved.get(name) != record[name]:
            store.erase(1)  # the session was with another server, or of another device
            break
    if other_key:
        store.write(key_name, key)
        changed.append("server key")
    # last: a board with settings has everything that they need
    if record != saved:
        store.write("config.json", json.dumps(record).encode())
        changed.append("settings")
    return changed
