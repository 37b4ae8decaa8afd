"""The Kubernetes manifests: rendered by kustomize, checked against Kubernetes's schemas, and true to compose.yaml."""

import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from typer.testing import CliRunner

from db.profiles import PROFILES
from db.settings import Settings
from mainmask.cli import app
from tests.docker.alerts_manifest import MANIFEST, RULES, manifest
from tests.docker.deployment import (
    DOCKERFILES,
    KUBERNETES,
    ROOT,
    assignments,
    command_of,
    compose,
    example_secrets,
    instructions,
    manifests,
    named,
    pod_of,
    run,
    seconds,
)
from worker.outgoing.addresses import GLOBAL_UNICAST, NOT_PUBLIC_IPV4, NOT_PUBLIC_IPV6

SERVICES = compose("compose.yaml")["services"]
BASE = manifests("base")
MIGRATIONS = manifests("migrations")
MODELS = manifests("models")
GPU = manifests("overlays/gpu")
WORKLOADS = {**named(BASE, "Deployment"), **named(MIGRATIONS, "Job")}
PODS = {**WORKLOADS, **named(MODELS, "Job")}
MONITORS = {("ServiceMonitor", "api"), ("PodMonitor", "processes")}
VERSION = "1.34"
"""The oldest Kubernetes that is supported: the schemas are this one's."""

each_manifest = pytest.mark.parametrize(
    "manifest",
    [*BASE, *MIGRATIONS, *MODELS, *GPU],
    ids=lambda manifest: f"{manifest['kind']} {manifest['metadata']['name']}",
)
each_workload = pytest.mark.parametrize("name", WORKLOADS)
each_pod = pytest.mark.parametrize("name", PODS)


def container_of(name: str) -> dict[str, Any]:
    """The one container of a workload's pods."""
    [container] = pod_of(PODS[name])["containers"]
    found: dict[str, Any] = container
    return found


def settings() -> dict[str, str]:
    """What the ConfigMap holds."""
    [config_map] = named(BASE, "ConfigMap").values()
    data: dict[str, str] = config_map["data"]
    return data


def variables(name: str) -> dict[str, str]:
    """The environment of a workload's container."""
    found: dict[str, str] = {}
    for source in container_of(name).get("envFrom", ()):
        secret = source.get("secretRef")
        found |= example_secrets()[secret["name"]] if secret else settings()
    for variable in container_of(name).get("env", ()):
        reference = variable.get("valueFrom", {}).get("secretKeyRef")
        found[variable["name"]] = (
            example_secrets()[reference["name"]][reference["key"]] if reference else variable["value"]
        )
    return found


def probes(name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The kinds of probes that a workload's container has, with what they do."""
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        if kind in container_of(name):
            yield kind, container_of(name)[kind]


def images(documents: list[dict[str, Any]]) -> set[str]:
    """Those of all pods."""
    workloads = {**named(documents, "Deployment"), **named(documents, "Job")}
    return {container["image"] for workload in workloads.values() for container in pod_of(workload)["containers"]}


@each_manifest
def test_each_manifest_is_one_of_kubernetes_s(manifest: Mapping[str, Any]) -> None:
    """By its own schemas, which know no unknown field; those of KEDA are looked at below."""
    if not manifest["apiVersion"].startswith("keda.sh/"):
        kubernetes_validate.validate(manifest, VERSION, strict=True)


def test_the_secrets_of_the_example_are_kubernetes_s_and_not_applied() -> None:
    """Each operator has their own."""
    for document in yaml.safe_load_all((KUBERNETES / "base" / "secret.example.yaml").read_text()):
        kubernetes_validate.validate(document, VERSION, strict=True)
        assert document["metadata"]["namespace"] == "mainmask"
    assert not named([*BASE, *MIGRATIONS, *MODELS, *GPU], "Secret")


def test_the_workloads_are_compose_s() -> None:
    """Each process is there, and runs the same command in the same image."""
    assert WORKLOADS.keys() == {name for name, service in SERVICES.items() if service["image"].startswith("mainmask-")}
    for name in WORKLOADS:
        container = container_of(name)
        assert container.get("args") == SERVICES[name]["command"], name
        assert "command" not in container
        assert container["image"] == SERVICES[name]["image"]


@each_workload
def test_each_process_is_told_the_same_as_in_compose(name: str) -> None:
    """The same variables, at the most with all of the settings that have no secret in them."""
    here, there = variables(name), SERVICES[name]["environment"]
    assert there.keys() <= here.keys()
    assert here.keys() - there.keys() <= settings().keys()
    for variable in here.keys() & there.keys() & {"FLOWER_READ_ONLY", "FLOWER_PERSISTENT", "FLOWER_DB"}:
        assert here[variable] == there[variable]
    known = {f"MAINMASK_{field.upper()}" for field in Settings.model_fields}
    assert {variable for variable in here if variable.startswith("MAINMASK_")} <= known


def test_the_settings_that_a_configuration_map_holds_are_no_secrets() -> None:
    """A ConfigMap can be read by more people than a Secret."""
    assert not [name for name in settings() if re.search("SECRET|KEY|PASSWORD|DATABASE|REDIS", name)]
    assert settings() == assignments((KUBERNETES / "base" / "settings.env").read_text())


@each_pod
def test_each_pod_is_as_restricted_as_the_namespace_asks(name: str) -> None:
    """By the rules of the Pod Security Standard `restricted`, with a root that can't be written to, besides."""
    labels = named(BASE, "Namespace")["mainmask"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pod, container = pod_of(PODS[name]), container_of(name)
    users = [value for instruction, value in instructions(DOCKERFILES["mainmask-api"]) if instruction == "USER"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert [str(pod["securityContext"]["runAsUser"])] == users
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"emptyDir", "persistentVolumeClaim"} >= {key for volume in pod["volumes"] for key in volume} - {"name"}
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


@each_pod
def test_each_container_says_what_it_needs(name: str) -> None:
    """A limit of memory, and requests that the scheduler can go by."""
    resources = container_of(name)["resources"]
    assert resources["requests"].keys() == {"cpu", "memory"}
    assert "memory" in resources["limits"]


def test_selectors_find_the_pods_that_they_mean() -> None:
    """Those of Deployments, Services, disruption budgets and network policies."""
    labels = {name: workload["spec"]["template"]["metadata"]["labels"] for name, workload in WORKLOADS.items()}
    for name, deployment in named(BASE, "Deployment").items():
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels[name].items()
    for name, service in named(BASE, "Service").items():
        assert service["spec"]["selector"].items() <= labels[name].items()
        ports = {port["name"] for port in container_of(name)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for name, budget in named(BASE, "PodDisruptionBudget").items():
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels[name].items()
    for policy in named(BASE, "NetworkPolicy").values():
        selector = policy["spec"]["podSelector"]
        meant = [selector.get("matchLabels", {}).get("app.kubernetes.io/name")]
        meant += [name for expression in selector.get("matchExpressions", ()) for name in expression["values"]]
        assert set(filter(None, meant)) <= WORKLOADS.keys()


def test_disruptions_leave_some_of_what_there_are_many_of() -> None:
    """A single one has no budget: it could never be moved."""
    budgets = named(BASE, "PodDisruptionBudget")
    single = {name for name, deployment in named(BASE, "Deployment").items() if deployment["spec"].get("replicas") == 1}
    assert single == {"maintenance", "beat", "flower"}
    assert budgets.keys() == named(BASE, "Deployment").keys() - single
    for name in single:
        assert named(BASE, "Deployment")[name]["spec"]["strategy"] == {"type": "Recreate"}


@each_workload
def test_each_process_is_given_the_time_to_stop(name: str) -> None:
    """As much as in Compose at the least, and what the preStop takes besides."""
    pod, container = pod_of(WORKLOADS[name]), container_of(name)
    before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    given = pod.get("terminationGracePeriodSeconds", 30)
    assert given - before >= seconds(SERVICES[name].get("stop_grace_period", "10s"))


def test_probes_ask_what_the_processes_answer(openapi_paths: set[str]) -> None:
    """Routes of the API and of Flower, at the port where they listen; else the same checks as Compose's."""
    for name in WORKLOADS:
        ports = {port["name"]: port["containerPort"] for port in container_of(name).get("ports", ())}
        for _, probe in probes(name):
            if "httpGet" in probe:
                assert probe["httpGet"]["port"] in ports
                assert probe["httpGet"]["path"] in (openapi_paths if name == "api" else {"/healthcheck"})
            else:
                check = SERVICES[name].get("healthcheck", {}).get("test", [])
                said = probe["exec"]["command"]
                worker = ["test", "-e", "/tmp/mainmask-worker.ready"]
                assert said == (["sh", "-c", *check[1:]] if check else worker)
        for kind, probe in probes(name):
            # A probe that asks other servers would restart a process for an outage that isn't its own.
            assert kind != "livenessProbe" or probe.get("httpGet", {}).get("path") != "/readyz"
    assert container_of("api")["ports"] == [{"name": "http", "containerPort": 8000}]
    assert "--port=8000" in command_of(SERVICES["api"])


@pytest.fixture
def openapi_paths() -> set[str]:
    """The routes that the API has."""
    from api.app import create_app  # noqa: PLC0415 - only this test builds the application

    return set(create_app().openapi()["paths"])


def test_callers_urls_lead_to_the_ports_and_networks_that_the_processes_allow() -> None:
    """The cluster lets out what they let out."""
    [rule] = named(BASE, "NetworkPolicy")["callers-urls"]["spec"]["egress"]
    allowed = Settings.model_fields["outgoing_allowed_ports"].default
    assert {port["port"] for port in rule["ports"]} == allowed
    blocks = {block["cidr"]: block["except"] for block in (destination["ipBlock"] for destination in rule["to"])}
    assert blocks == {
        "0.0.0.0/0": [str(network) for network in NOT_PUBLIC_IPV4],
        str(GLOBAL_UNICAST): [str(network) for network in NOT_PUBLIC_IPV6],
    }


def test_what_the_pods_may_reach_are_the_servers_that_the_secrets_name() -> None:
    """Postgres, Redis and S3 at their usual ports."""
    [rule] = named(BASE, "NetworkPolicy")["servers"]["spec"]["egress"]
    ports = {port["port"] for port in rule["ports"]}
    addresses = [*variables("api").values(), *settings().values()]
    named_ports = {int(port) for address in addresses for port in re.findall(r"\w:(\d+)/", address)}
    assert named_ports == {5432, 6379}
    assert settings()["MAINMASK_S3_ENDPOINT_URL"].startswith("https://")
    assert ports == named_ports | {443}


def test_all_images_have_the_project_s_version() -> None:
    """In the base, the migrations and the overlay alike."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    ours = {f"mainmask-api:{version}", f"mainmask-worker:{version}"}
    assert images(BASE) == ours
    assert images(MIGRATIONS) == {f"mainmask-api:{version}"}
    assert images(MODELS) == {f"mainmask-worker:{version}"}
    assert images(GPU) == {f"mainmask-api:{version}", f"mainmask-worker:{version}-cuda"}


def test_the_gpu_overlay_puts_each_worker_on_a_gpu_of_its_own() -> None:
    """Its nodes are chosen and their taint is tolerated; all else is the base."""
    worker = named(GPU, "Deployment")["worker"]
    pod = pod_of(worker)
    [container] = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]
    assert {"name": "MAINMASK_DEVICE", "value": "cuda"} in container["env"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/models"}
    claims = {volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "emptyDir" not in volume}
    assert claims <= named(GPU, "PersistentVolumeClaim").keys()
    for name, deployment in named(BASE, "Deployment").items():
        assert name == "worker" or named(GPU, "Deployment")[name] == deployment


def test_the_pull_fills_the_volume_that_the_workers_read() -> None:
    """One claim, mounted where the image looks for models: written by the Job, only read by workers."""
    pulling, reading = pod_of(PODS["models"]), pod_of(named(GPU, "Deployment")["worker"])
    environment = " ".join(value for name, value in instructions(DOCKERFILES["mainmask-worker"]) if name == "ENV")
    claims = []
    for pod, read_only in ((pulling, False), (reading, True)):
        [volume] = [volume for volume in pod["volumes"] if volume["name"] == "models"]
        claim = volume["persistentVolumeClaim"]
        [mount] = [mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "models"]
        assert (claim.get("readOnly", False), mount.get("readOnly", False)) == (read_only, read_only)
        assert f"MAINMASK_MODELS_DIR={mount['mountPath']}" in environment
        claims.append(claim["claimName"])
    assert claims == ["models", "models"]
    assert named(MODELS, "PersistentVolumeClaim")["models"] == named(GPU, "PersistentVolumeClaim")["models"]
    assert named(MODELS, "PersistentVolumeClaim")["models"]["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_pull_is_a_command_that_there_is_and_may_ask_the_network() -> None:
    """Of the profiles that there are; what the image forbids its workers is allowed, by name lookup and TLS alone."""
    container = container_of("models")
    program, *command, profile = container["args"]
    assert program in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0
    assert profile in PROFILES
    environment = " ".join(value for name, value in instructions(DOCKERFILES["mainmask-worker"]) if name == "ENV")
    assert "HF_HUB_OFFLINE=1" in environment
    assert container["env"] == [{"name": "HF_HUB_OFFLINE", "value": "0"}]
    policy = named(MODELS, "NetworkPolicy")["models"]["spec"]
    labels = PODS["models"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [443]


@pytest.mark.parametrize("component", ["models", "monitoring"])
def test_a_component_fits_the_base(component: str, tmp_path: Path) -> None:
    """As an overlay of an operator's own lists it."""
    overlay = tmp_path / "kubernetes" / "overlays" / "own"
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    overlay.mkdir()
    content = {"resources": ["../../base"], "components": [f"../../components/{component}"]}
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(content))
    done = run("kubectl", "kustomize", overlay)
    assert done.returncode == 0, done.stderr
    added = {(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(done.stdout)} - {
        (each["kind"], each["metadata"]["name"]) for each in BASE
    }
    expected = {
        "models": {("PersistentVolumeClaim", "models")},
        "monitoring": {*MONITORS, ("PrometheusRule", "mainmask")},
    }
    assert added == expected[component]


def test_prometheus_is_told_the_token_that_the_processes_ask_for() -> None:
    """Its operator's monitors name the same Secret, and find all that count something, by labels and ports."""
    monitors = list(yaml.safe_load_all((KUBERNETES / "components" / "monitoring" / "monitors.yaml").read_text()))
    assert {(each["kind"], each["metadata"]["name"]) for each in monitors} == MONITORS
    service, pods = (each["spec"] for each in monitors)
    for endpoint in (*service["endpoints"], *pods["podMetricsEndpoints"]):
        secret = endpoint["authorization"]["credentials"]
        assert secret["key"] in example_secrets()[secret["name"]]
    [endpoint] = service["endpoints"]
    api = named(BASE, "Service")["api"]
    assert service["selector"]["matchLabels"].items() <= api["metadata"]["labels"].items()
    assert (endpoint["port"], endpoint["path"]) == (api["spec"]["ports"][0]["name"], "/metrics")
    [expression] = pods["selector"]["matchExpressions"]
    for name in expression["values"]:
        assert [port["name"] for port in container_of(name)["ports"]] == [pods["podMetricsEndpoints"][0]["port"]]
    asking = {name for name in WORKLOADS if "MAINMASK_METRICS_TOKEN" in variables(name)}
    assert asking == {"api", *expression["values"]}


def test_prometheus_operator_is_given_the_alert_rules() -> None:
    """The very ones of Compose's Prometheus; `make generate` writes them anew."""
    assert MANIFEST.read_text() == manifest()
    rule = yaml.safe_load(MANIFEST.read_text())
    assert (rule["apiVersion"], rule["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(RULES.read_text())


def test_keda_scales_the_workers_by_the_age_of_the_oldest_job() -> None:
    """The fields are those of KEDA's postgresql scaler; test_postgres.py runs the query."""
    scaled = named(GPU, "ScaledObject")["worker"]
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    spec = scaled["spec"]
    assert spec["scaleTargetRef"] == {"name": "worker"}
    assert "replicas" not in named(GPU, "Deployment")["worker"]["spec"]
    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]
    [trigger] = spec["triggers"]
    assert (trigger["type"], trigger["metricType"]) == ("postgresql", "Value")
    assert trigger["metadata"].keys() == {"query", "targetQueryValue"}
    assert float(trigger["metadata"]["targetQueryValue"]) > Settings.model_fields["resend_after_seconds"].default
    authentication = named(GPU, "TriggerAuthentication")[trigger["authenticationRef"]["name"]]
    [reference] = authentication["spec"]["secretTargetRef"]
    assert reference["parameter"] == "connection"
    assert example_secrets()[reference["name"]][reference["key"]].startswith("postgresql://mainmask_scaler:")
