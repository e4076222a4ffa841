"""Runs unit-test files under MicroPython: `micropython tests/mp_runner.py FILE...`.

A test is a function `test_*` without arguments. One line per failure, one per
file, and a last line `N passed, N failed`; exit status 1 if anything failed.
Start it in the project's root with MICROPYPATH=lib:tests:.frozen.
"""

import gc
import sys

# First and from here: compiling sources takes stack at every level of nested imports, and the
# 32-bit port has room for few of them.
import particle  # noqa: F401


def run_file(path):
    """Run the tests of one file; return the numbers of passed and failed ones."""
    folder, _, name = path.rpartition("/")
    sys.path.insert(0, folder or ".")
    try:
        module = __import__(name[:-3])
    except Exception as error:
        print("FAILED %s (import)" % path)
        sys.print_exception(error)
        return 0, 1
    finally:
        sys.path.pop(0)
    passed = failed = 0
    for test in sorted(dir(module)):
        if not test.startswith("test_"):
            continue
        gc.collect()
        try:
            getattr(module, test)()
            passed += 1
        except Exception as error:
            print("FAILED %s::%s" % (path, test))
            sys.print_exception(error)
            failed += 1
    del sys.modules[name[:-3]]
    print("%s: %d passed, %d failed" % (path, passed, failed))
    return passed, failed


def main(paths):
    """Run all files and return the exit status."""
    passed = failed = 0
    for path in paths:
        good, bad = run_file(path)
        passed += good
        failed += bad
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
