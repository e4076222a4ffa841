"""schemathesis asks every route what its OpenAPI description promises, with a board online.

Its choices are derived from the description alone (`deterministic`): the same each time.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.running import Api
from interop.boards import eventually
from particle_tools.cloud.openapi import operation_id
from particle_tools.cloud.rest import all_routes
from particle_tools.local import LocalCloud, SimulatedBoard

pytestmark = pytest.mark.timeout(300)

_PROGRAM = Path(sys.executable).with_name("schemathesis")
_COMMAND = "make setup (needs Python 3.11 or newer)"
_CHECKS = """
workers = 1
request-timeout = 60.0
suppress-health-check = ["all"]
continue-on-failure = true
warnings = false


[generation]
deterministic = true
max-examples = {examples}
mode = "{mode}"

[phases.examples]
enabled = false

[phases.coverage]
enabled = {coverage}
unexpected-methods = ["PATCH"]
generation.mode = "positive"

[phases.stateful]
enabled = false

[checks]
enabled = false
status_code_conformance.enabled = true
content_type_conformance.enabled = true
response_schema_conformance.enabled = true

[checks.not_a_server_error]
enabled = true
expected-statuses = ["2xx", "3xx", "4xx", "501"]  # 501 is said of what the cloud will never do
"""
# Endless answers are not for a client that waits for the end; some end our own token; those of
# products are the same functions as others. What is below mip is built, which takes long. The
# document does not test itself.
_LEFT_OUT = "|".join(
    (
        "^get_(.*_)?events(_|$)",
        "^delete_v1_access_tokens",
        "^get_mip",
        "_openapi_json$",
        "_v1_products_product_(devices_device|diagnostics|webhooks|integrations)",
    )
)
# What somebody does with a device that is online.
_USES = [
    ("GET", "/v1/devices/{device}", {}),
    ("PUT", "/v1/devices/{device}", {}),
    ("PUT", "/v1/devices/{device}/ping", {}),
    ("POST", "/v1/devices/{device}/{name}", {"name": "echo"}),
    ("GET", "/v1/devices/{device}/{name}", {"name": "temp"}),
    ("GET", "/local/v1/usage/{device}", {}),
    ("GET", "/local/v1/devices/{device}/diagnosis", {}),
    ("GET", "/local/v1/devices/{device}/persisted-events", {}),
    ("POST", "/v1/diagnostics/{device}/update", {}),
]


@pytest.fixture
def cloud(tmp_path):
    """Give a running cloud."""
    found = LocalCloud(tmp_path / "cloud")
    yield found
    found.stop()


def check(cloud, folder, config, *options):
    """Run schemathesis; return its report."""
    (folder / "schemathesis.toml").write_text(config)
    token = Api(cloud.url).login(cloud.user.split(":", 1)).token
    argv = [
        *(str(_PROGRAM), "run", f"{cloud.url}/local/v1/openapi.json"),
        *("-H", f"Authorization: Bearer {token}", "--no-color"),
        *("--report", "json", "--report-json-path", "report.json", *options),
    ]
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    return json.loads((folder / "report.json").read_text())


def test_every_route_keeps_what_the_description_promises(need, cloud, tmp_path):
    need("schemathesis", _PROGRAM.exists(), _COMMAND)
    config = _CHECKS.format(examples=2, mode="all", coverage="true")
    report = check(cloud, tmp_path, config, "--exclude-operation-id-regex", _LEFT_OUT)
    operations = report["operations"]
    names = [operation_id(route) for route in all_routes()]
    chosen = [name for name in names if not re.search(_LEFT_OUT, name)]
    assert operations["tested"] == operations["selected"] == len(chosen) > len(names) / 2
    assert operations["errored"] == 0 and report["complete"]


def test_a_device_that_is_online(need, cloud, tmp_path):
    need("schemathesis", _PROGRAM.exists(), _COMMAND)
    board = SimulatedBoard(tmp_path / "board", cloud)
    try:
        api = cloud.api()
        eventually(lambda: api.device(board.device_id)["functions"])
        config = _CHECKS.format(examples=10, mode="positive", coverage="false")
        for method, path, parts in _USES:
            parameters = json.dumps({"device": board.device_id, **parts})
            config += (
                f'\n[[operations]]\ninclude-name = "{method} {path}"\n'
                f"parameters = {parameters.replace(':', ' =')}\n"
            )
        chosen = [
            operation_id(route)
            for route in all_routes()
            if any((route.method, route.path) == use[:2] for use in _USES)
        ]
        assert len(chosen) == len(_USES)
        options = [word for name in chosen for word in ("--include-operation-id", name)]
        report = check(cloud, tmp_path, config, *options)
        assert report["operations"]["tested"] == len(_USES)
        assert api.device(board.device_id)["online"]
    finally:
        board.stop()
