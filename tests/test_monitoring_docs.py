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


def test_the_table_of_fields_is_what_lines_have() -> None:
    """What every line has, what is bound, and what `extra` may add."""
    section = DOCUMENT.read_text().partition("\n## Logs\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.+?) \|", section, re.MULTILINE))))
    always = {"event", "level", "logger", "timestamp"}
    assert told == {*always, "exception", *logs.FIELDS, "request_id", "trace_id", "task"}
