"""Packs the portal's page, the files beside this one, into `lib/particle/setup/portal.html.gz`.

`python -m particle_tools.portal` after a change; a test compares. Scripts must be ECMAScript 5,
which the parser checks, as old captive browsers know no more. The output depends on the sources,
the pinned minifiers and zlib only. Minifiers and parser come with the tests (`make setup`).
"""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

from particle_tools import ROOT
from particle_tools.errors import UserError

PAGE = ROOT / "lib" / "particle" / "setup" / "portal.html.gz"

_HERE = Path(__file__).parent
#: In this order they are one script.
SCRIPTS = ("crypto.js", "page.js")

# No other script runs, whatever a network is called. Browsers of before 2016 do not know hashes
# and heed 'unsafe-inline', which the others ignore beside a hash.
_POLICY = (
    "default-src 'none';connect-src 'self';img-src data:;style-src 'unsafe-inline';"
    "script-src 'unsafe-inline' 'sha256-{}'"
)


def texts() -> dict[str, dict[str, str]]:
    """Return the table of texts: language -> key -> text with %1, %2."""
    found: dict[str, dict[str, str]] = json.loads((_HERE / "texts.json").read_text("utf-8"))
    return found


def script() -> str:
    """Return the page's script as it is written, in a function of its own.

    Raises UserError if it is not ECMAScript 5.
    """
    parts = "\n".join((_HERE / name).read_text("utf-8") for name in SCRIPTS)
    languages = list(texts().values())
    table = {key: [language[key] for language in languages] for key in languages[0]}
    return "(function () {'use strict';\n" + parts.replace("{{texts}}", _json(table)) + "})();\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def minified(source: str) -> str:
    """Return a script without comments and spaces and with short local names."""
    from calmjs.parse import es5
    from calmjs.parse.exceptions import ECMASyntaxError

    try:
        return str(es5.minify_print(source, obfuscate=True))
    except ECMASyntaxError as error:
        raise UserError(f"the portal's script is not ECMAScript 5: {error}") from None


def page() -> bytes:
    """Return the page as a browser gets it, in one piece."""
    import rcssmin

    code = minified(script())
    css = rcssmin.cssmin((_HERE / "page.css").read_text("utf-8"))
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    lines = (line.strip() for line in (_HERE / "page.html").read_text("utf-8").splitlines())
    parts = {"css": css, "js": code, "policy": _POLICY.format(digest)}
    html = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], "\n".join(filter(None, lines)))
    return html.encode()


def packed() -> bytes:
    """Return the page as it lies on a board."""
    return gzip.compress(page(), compresslevel=9, mtime=0)
