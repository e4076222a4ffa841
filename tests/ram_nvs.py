"""The simulated board's NVS in memory, whose power fails in the Nth operation, for tests.

`NVS` is None where the board's modules cannot be read (emulated processors).
"""

import sys

_MODULES = "boards/UNIX_SIM/modules"


class _Memory:
    def __init__(self):
        self.data = {}

    def there(self, name):
        return name in self.data

    def read(self, name):
        return self.data.get(name)

    def write(self, name, data):
        self.data[name] = data


def _load():
    try:
        with open(_MODULES + "/esp32.py") as file:
            source = file.read()
    except OSError:
        return None
    module = {"__name__": "esp32"}
    before = sys.modules.get("_sim")
    sys.modules["_sim"] = _Memory()
    sys.path.append(_MODULES)
    try:
        exec(source, module)
    finally:
        sys.path.remove(_MODULES)
        del sys.modules["_sim"]
        if before:
            sys.modules["_sim"] = before
    return module["NVS"]


NVS = _load()

if NVS:

    class Nvs(NVS):
        """An NVS of its own. values: key -> value, it is changed. cut: operation that fails.

        tear: what becomes of the key it was about, worse than esp-idf does: 0 the old value, 1
        lost, 2 half of the new value, 3 the new value.
        """

        def __init__(self, values=None, cut=0, tear=0):
            self.content = {} if values is None else values
            self.operations = 0
            self._cut = cut
            self._tear = tear
            self._dead = False
            self._namespace = "test"

        def _read(self):
            return {"test": self.content}

        def _change(self, values, key=None):
            self.content.clear()
            self.content.update(values)

        def _values(self):
            return dict(self.content)

        def _last(self):
            self.operations += 1
            self._dead = self._dead or self.operations == self._cut
            return self._dead

        def set_blob(self, key, value):
            """Store bytes."""
            if not self._last():
                super().set_blob(key, value)
                return
            if self._tear == 1:
                self.content.pop(key, None)
            elif self._tear > 1:
                super().set_blob(key, value if self._tear == 3 else value[: len(value) // 2])
            raise self.failure()

        def erase_key(self, key):
            """Forget `key`."""
            if not self._last():
                super().erase_key(key)
                return
            if self._tear:
                self.content.pop(key, None)
            raise self.failure()

        def commit(self):
            """Have what was set on flash."""
            if self._last():
                raise self.failure()

        failure = OSError
