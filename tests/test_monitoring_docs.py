"""docs/monitoring.md against the code."""

import re
from pathlib import Path

from db import logs
from tests.exported import exported

DOCUMENT = Path(__file__).parents[1] / "docs" / "monitoring.md"
ROW = re.compile(r"^\| `(mainmask_\w+)` \| ([^|]*) \| (.+) \|$", re.MULTILINE)


def test_the_table_of_metrics_is_the_codes() -> None:
    """Each metric is there with its labels and what it says, and no other."""
    rows = {
        name: (set(re.findall(r"`(\w+)`", labels)), says) for name, labels, says in ROW.findall(DOCUMENT.read_text())
    }
    assert rows == {metric.name: (metric.labels, metric.documentation) for metric in exported()}


def test_each_field_of_the_logs_is_told() -> None:
    """Those that `extra` may add, and those that are bound."""
    _, _, section = DOCUMENT.read_text().partition("\n## Logs\n")
    told = set(re.findall(r"`(\w+)`", "\n".join(line for line in section.splitlines() if line.startswith("| `"))))
    assert told >= {*logs.FIELDS, "request_id", "task", "event", "level", "logger", "timestamp", "exception"}
