"""Fetches the optional tools of the tests into the cache: `python tests/fetch.py`.

Exit status 1 if one could not be had; each failure is one line.
"""

import sys
import time

from interop import api_js, dtls_programs, module_reader, particle_cli, softap_setup, spark_server
from interop.portal import phone
from particle_tools.firmware import sources
from silicon import debian32

FETCHERS = {
    "32-bit MicroPython (Debian i386)": debian32.fetch,
    module_reader.NAME: module_reader.PACKAGES.fetch,
    "MicroPython and mbedTLS sources (Debian)": sources.fetch,
    "axe-core (npm)": phone.AXE.fetch,
    "mbedTLS client (Debian source)": dtls_programs.MBEDTLS_CLIENT.fetch,
    "mbedTLS server (Debian source)": dtls_programs.MBEDTLS_SERVER.fetch,
    "particle-api-js (npm)": api_js.PACKAGES.fetch,
    "particle-cli (npm)": particle_cli.PACKAGES.fetch,
    "softap-setup (npm)": softap_setup.PACKAGES.fetch,
    "spark-server (npm)": spark_server.PACKAGES.fetch,
}


def main() -> int:
    """Fetch everything that is not there yet."""
    failed = 0
    for name, fetch in FETCHERS.items():
        begin = time.monotonic()
        try:
            fetch()
        except RuntimeError as error:
            failed = 1
            print(f"{name}: {error}", file=sys.stderr)
        else:
            print(f"{name}: there ({time.monotonic() - begin:.0f} s)")
    return failed


if __name__ == "__main__":
    sys.exit(main())
