"""Describes routes/metrics.py."""

from particle_tools.cloud.openapi import Media, Operation

OPERATIONS = {
    ("GET", "/metrics"): Operation(
        "Totals in the text format of Prometheus",
        {200: Media("text/plain")},
        description="Wants a token unless the operator has set metrics = open.",
    ),
}
