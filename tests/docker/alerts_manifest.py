"""`python -m tests.docker.alerts_manifest`: the alert rules as Prometheus' operator reads them."""

import sys
import textwrap

from tests.docker.deployment import DOCKER, KUBERNETES

RULES = DOCKER / "prometheus" / "alerts.yml"
MANIFEST = KUBERNETES / "components" / "monitoring" / "alerts.yaml"
HEAD = """\
# docker/prometheus/alerts.yml, for Prometheus' operator: `make generate` writes it.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: mainmask}
spec:
"""


def manifest() -> str:
    """The whole of the file: kustomize reads none beside its own folder."""
    return HEAD + textwrap.indent(RULES.read_text(), "  ")


if __name__ == "__main__":
    sys.stdout.write(manifest())
