"""The dashboard and the alert rules against what the code exports, and by Prometheus' own tool."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker import promql
from tests.exported import exported, series

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "docker" / "prometheus" / "alerts.yml"
DASHBOARDS = ROOT / "docker" / "grafana" / "provisioning" / "dashboards"
DOCUMENT = ROOT / "docs" / "monitoring.md"

KNOWN = series(exported())
RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((DASHBOARDS / "mainmask.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS: list[dict[str, str]] = [target for panel in PANELS for target in panel["targets"]]


@pytest.fixture
def promtool() -> str:
    """Prometheus' own tool."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("there is no promtool: it comes with Debian's package prometheus")
    return found


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("sum by (stage) (rate(mainmask_stage_attempts_total[5m]))", set()),
        ("rate(mainmask_stage_attempts[5m])", {"mainmask_stage_attempts"}),
        ('mainmask_queue_depth{stage="x", queue!="y"}', {"queue"}),
        ("sum by (le, status) (mainmask_job_duration_seconds_bucket)", {"status"}),
        ("sum by (le) (mainmask_job_duration_seconds_sum)", {"le"}),
    ],
)
def test_a_wrong_name_would_be_noticed(expression: str, wrong: set[str]) -> None:
    """Of a metric, in its labels, and in a grouping."""
    assert promql.unknown(expression, KNOWN) == wrong


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_alerts_ask_for_what_is_exported(rule: dict[str, Any]) -> None:
    """Each metric with those labels; and the handbook says of each alert what to do."""
    assert promql.names(rule["expr"])
    assert promql.unknown(rule["expr"], KNOWN) == set()
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert (ROOT / page, anchor) == (DOCUMENT, rule["alert"].lower())
    assert re.search(rf"^### {rule['alert']}\n\n\w", DOCUMENT.read_text(), re.MULTILINE)


def test_the_handbook_explains_no_alert_that_there_is_not() -> None:
    """One section each."""
    assert re.findall(r"^### (Mainmask\w+)$", DOCUMENT.read_text(), re.MULTILINE) == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_panels_ask_for_what_is_exported(panel: dict[str, Any]) -> None:
    """Each metric with those labels, and legends name labels that are left."""
    for target in panel["targets"]:
        expression, legend = target["expr"], set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        assert promql.names(expression)
        assert promql.unknown(expression, KNOWN) == set()
        assert legend <= (promql.groupings(expression) or promql.labels(expression, KNOWN))


def test_every_metric_is_on_the_dashboard() -> None:
    """Else nobody looks at it."""
    shown = {name for target in TARGETS for name in promql.names(target["expr"])}
    assert [metric.name for metric in exported() if not shown & metric.series.keys()] == []


def test_panels_have_ids_of_their_own_and_the_source_that_is_provisioned() -> None:
    """And Grafana finds the dashboard where its provider looks: both lie in the folder that it mounts."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"prometheus"}
    (provider,) = yaml.safe_load((DASHBOARDS / "dashboards.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"


def test_each_alert_fires_in_its_story(promtool: str) -> None:
    """And none where all is well: alerts_test.yml, run by Prometheus' own engine."""
    told = yaml.safe_load((ALERTS.parent / "alerts_test.yml").read_text())["tests"]
    checks = [check for story in told for check in story["alert_rule_test"]]
    fired = {check["alertname"] for check in checks if check["exp_alerts"]}
    silent = {check["alertname"] for check in checks if not check["exp_alerts"]}
    assert fired == silent == {rule["alert"] for rule in RULES}
    run = subprocess.run(
        [promtool, "test", "rules", "alerts_test.yml"], cwd=ALERTS.parent, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_prometheus_takes_its_configuration(promtool: str, tmp_path: Path) -> None:
    """With the rules beside it, and the file of the token where its script puts it."""
    token = tmp_path / "metrics-token"
    token.write_text("a-token")
    shutil.copy(ALERTS, tmp_path)
    text = (ROOT / "docker" / "prometheus.yml").read_text().replace("/tmp/metrics-token", str(token))
    (tmp_path / "prometheus.yml").write_text(text)
    run = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_dashboards_expressions_are_promql(promtool: str, tmp_path: Path) -> None:
    """As rules, which is how the tool reads expressions."""
    expressions = [target["expr"].replace("$__rate_interval", "5m") for target in TARGETS]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(expressions)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run = subprocess.run(
        [promtool, "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
