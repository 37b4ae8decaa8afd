"""The compose files: checked by Compose itself, and true to the code that they start."""

import json
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from db.settings import Settings
from mainmask.stack.services import Services
from tests.docker.deployment import (
    DOCKER,
    DOCKERFILES,
    ROOT,
    command_of,
    compose,
    example,
    health_check_of,
    instructions,
    seconds,
)

SERVICES = compose("compose.yaml")["services"]
OUR_OWN = {name: service for name, service in SERVICES.items() if service["image"].startswith("mainmask-")}
SERVERS = {"postgres", "redis", "s3", "prometheus", "grafana"}
ONE_OFF = {"migrations", "bucket"}
each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
each_of_our_own = pytest.mark.parametrize("service", OUR_OWN.values(), ids=OUR_OWN.keys())

TWO_PARTS = {"postgres": 2, "chrislusf/seaweedfs": 2}
"""Of whose versions the second number is the last."""
PLACES = ("--host", "--port", "--address", "--schedule", "--timeout-graceful-shutdown")
"""Options that say where a process listens and writes: these differ between a machine and a container."""


def test_the_page_leads_to_flower_where_it_is_published() -> None:
    """At the port that the host has for it."""
    (published,) = SERVICES["flower"]["ports"]
    assert SERVICES["api"]["environment"]["MAINMASK_FLOWER_URL"].endswith(f":{published['published']}")


def essence(command: Iterable[str]) -> list[str]:
    """The command without its places; each `--option value` as `--option=value`."""
    joined = re.sub(r"(--(?:host|port)) (\S+)", r"\1=\2", shlex.join(command))
    return sorted(part for part in shlex.split(joined) if not part.startswith(PLACES))


def test_all_the_parts_are_there() -> None:
    """Each of the local stack's processes, and the servers."""
    assert SERVICES.keys() - OUR_OWN.keys() == SERVERS | {"bucket"}
    assert OUR_OWN.keys() == {"migrations", "api", "worker", "maintenance", "beat", "webhooks", "flower"}


def test_each_process_runs_what_the_local_stack_runs() -> None:
    """Module, queues, pool and concurrency: nobody has to change them in two places."""
    local = Services({"MAINMASK_REDIS_URL": ""})
    programs = [
        local.migrations(),
        local.api(8000),
        local.worker(Path("ready")),
        local.maintenance(),
        local.beat(Path("schedule")),
        local.webhooks(),
        local.flower(5555, Path("flower")),
    ]
    assert {program.name for program in programs} == OUR_OWN.keys()
    for program in programs:
        command = command_of(OUR_OWN[program.name])
        if program.name == "migrations":
            command = command[2:]
        assert essence(command) == essence(program.command[2:]), program.name


@each_of_our_own
def test_each_variable_is_a_setting(service: Mapping[str, Any]) -> None:
    """A misspelt one would be silently ignored."""
    known = {f"MAINMASK_{name.upper()}" for name in Settings.model_fields}
    ours = {name for name in service["environment"] if name.startswith("MAINMASK_")}
    assert ours <= known
    assert ours


def test_the_variables_of_the_images_are_settings() -> None:
    """Those that the Dockerfiles set themselves."""
    known = {f"MAINMASK_{name.upper()}" for name in Settings.model_fields}
    for dockerfile in DOCKERFILES.values():
        values = " ".join(value for name, value in instructions(dockerfile) if name == "ENV")
        assert set(re.findall(r"MAINMASK_\w+", values)) <= known


@each_service
def test_each_container_is_hardened(service: Mapping[str, Any]) -> None:
    """No capability, no way to gain one, nothing to write to but volumes and memory."""
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "/tmp" in service["tmpfs"]


@each_service
def test_each_image_has_a_version(service: Mapping[str, Any]) -> None:
    """Ours has the project's; of others no moving tag is taken, but one that names the release to its last number."""
    name, version = service["image"].split(":")
    if name in DOCKERFILES:
        assert version == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        built = service["build"]
        assert (Path(built["context"]), ROOT / built["dockerfile"]) == (ROOT, DOCKERFILES[name])
    else:
        parts = TWO_PARTS.get(name, 3)
        assert re.fullmatch(rf"v?\d+(\.\d+){{{parts - 1}}}", version)


@each_service
def test_each_service_that_stays_says_when_it_is_well(service: Mapping[str, Any]) -> None:
    """By a check of its own or its image's; those that end say it by their exit code, and are tried again."""
    if service["restart"] != "unless-stopped":
        assert service["restart"] == "on-failure:10"
    else:
        # That of the API's image is no other process's.
        assert service.get("healthcheck") or not service["command"]
        assert health_check_of(service)


def test_processes_wait_for_what_they_need() -> None:
    """What ends must have ended well, what stays must be well."""
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            ends = needed in ONE_OFF
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy"), name
    for name in OUR_OWN.keys() - {"migrations", "flower"}:
        assert SERVICES[name]["depends_on"].keys() == {"migrations", "bucket", "redis"}


def test_each_process_is_given_the_time_to_stop() -> None:
    """Longer than what it goes on for by itself."""
    defaults = Settings.model_fields
    api = next(part for part in command_of(SERVICES["api"]) if part.startswith("--timeout-graceful-shutdown="))
    for name, needed in {
        "worker": defaults["shutdown_grace_seconds"].default,
        "webhooks": defaults["webhook_deadline_seconds"].default,
        "api": float(api.partition("=")[2]),
    }.items():
        assert seconds(SERVICES[name]["stop_grace_period"]) >= needed + 5


def test_published_ports_are_this_machine_s_unless_asked_for() -> None:
    """And they are the ports that the processes listen at."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert all(port["host_ip"] == "127.0.0.1" for ports in published.values() for port in ports)
    assert {name: [port["target"] for port in ports] for name, ports in published.items()} == {
        "api": [8000],
        "flower": [5555],
        "s3": [8333],
        "prometheus": [9090],
        "grafana": [3000],
    }
    for name, option in {"api": "--port=8000", "flower": "--port=5555"}.items():
        assert option in command_of(SERVICES[name])
    assert ("EXPOSE", "8000") in instructions(DOCKERFILES["mainmask-api"])


def test_the_databases_are_on_a_network_of_their_own() -> None:
    """Which reaches no other, and which Prometheus and Grafana are not on."""
    assert compose("compose.yaml")["networks"]["data"]["internal"] is True
    for name in ("postgres", "redis", "bucket", "migrations", "beat"):
        assert SERVICES[name]["networks"].keys() == {"data"}
    for name in ("prometheus", "grafana"):
        assert SERVICES[name]["networks"].keys() == {"outside"}


def test_addresses_lead_to_services() -> None:
    """Host names in settings are those of services, beside the name of the database and of the bucket."""
    environment = SERVICES["api"]["environment"]
    database = SERVICES["postgres"]["environment"]["POSTGRES_DB"]
    assert environment["MAINMASK_REDIS_URL"].endswith("@redis:6379/0")
    assert environment["MAINMASK_DATABASE_URL"].endswith(f"@postgres:5432/{database}")
    assert environment["MAINMASK_S3_ENDPOINT_URL"] == f"http://{SERVICES['s3']['environment']['S3_HOST']}:8333"
    assert environment["MAINMASK_S3_BUCKET"] == SERVICES["s3"]["environment"]["S3_BUCKET"]


def test_redis_keeps_what_it_is_given() -> None:
    """The append-only file is on, and nothing is dropped to make room."""
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--requirepass"] == SERVICES["redis"]["environment"]["REDISCLI_AUTH"]


def test_flower_shows_and_does_nothing_to_who_knows_its_password() -> None:
    """Its variables are options that it has."""
    environment = SERVICES["flower"]["environment"]
    assert environment["FLOWER_READ_ONLY"] == "true"
    assert environment["FLOWER_BASIC_AUTH"].startswith("mainmask:flower_password")


def test_each_process_is_given_the_secrets_that_it_uses_and_no_others() -> None:
    """The owner's password is the migrations' alone, the admin key the API's."""
    holders = {
        "owner_password": {"postgres", "migrations"},
        "app_password": {"postgres", "api", "worker", "maintenance", "webhooks"},
        "postgres_password": {"postgres"},
        "redis_password": {"redis", "api", "worker", "maintenance", "beat", "webhooks", "flower"},
        "s3_secret_access_key": {"s3", "api", "worker", "maintenance", "webhooks"},
        "admin_key": {"api"},
        "flower_password": {"flower"},
        "grafana_password": {"grafana"},
        "metrics_token": {"prometheus", "api", "worker", "maintenance", "webhooks"},
    }
    for secret, expected in holders.items():
        found = {name for name, service in SERVICES.items() if f"{secret}-of-this-test" in json.dumps(service)}
        assert found == expected, secret


def test_the_example_of_env_names_every_variable_and_no_other() -> None:
    """Those without a value there have none that is safe."""
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))
    assert used == example().keys()


def test_files_that_are_mounted_exist_and_can_not_be_written() -> None:
    """A missing one would become an empty folder."""
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists()
                assert volume["read_only"] is True


def test_the_gpu_overlay_changes_the_worker_alone() -> None:
    """It builds the other target, and reserves one GPU."""
    with_gpu = compose("compose.yaml", "compose.gpu.yaml")["services"]
    assert {name for name in SERVICES if with_gpu[name] != SERVICES[name]} == {"worker"}
    worker = with_gpu["worker"]
    targets = [
        value.split(" AS ")[-1] for name, value in instructions(DOCKERFILES["mainmask-worker"]) if name == "FROM"
    ]
    assert SERVICES["worker"]["build"]["target"] in targets
    assert worker["build"]["target"] == "cuda"
    assert "cuda" in targets
    assert worker["image"] == f"{SERVICES['worker']['image']}-cuda"
    assert worker["environment"]["MAINMASK_DEVICE"] == "cuda"
    [device] = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])


def test_what_prometheus_asks_is_there() -> None:
    """Its targets are all that count something, at the ports where they listen, on a network that they share."""
    jobs = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    fixed = [target for job in jobs for group in job.get("static_configs", ()) for target in group["targets"]]
    assert {target.partition(":")[0] for target in fixed} == {"api", "flower"}
    for target in fixed:
        name, port = target.split(":")
        assert int(port) in [entry["target"] for entry in SERVICES[name]["ports"]]
    (found,) = (group for job in jobs for group in job.get("dns_sd_configs", ()))
    assert set(found["names"]) == {"worker", "maintenance", "webhooks"}
    for name in found["names"]:
        assert SERVICES[name]["environment"]["MAINMASK_METRICS_PORT"] == str(found["port"])
        assert SERVICES[name]["environment"]["MAINMASK_METRICS_HOST"] == "0.0.0.0"
    assert all("outside" in SERVICES[name]["networks"] for name in [*found["names"], "api", "flower", "prometheus"])


def test_prometheus_brings_the_token_that_the_processes_ask_for(tmp_path: Path) -> None:
    """In the file that its configuration names: the script writes it for itself alone, and becomes Prometheus."""
    prometheus = SERVICES["prometheus"]
    jobs = {job["job_name"]: job for job in yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]}
    for name in ("api", "processes"):
        assert jobs[name]["authorization"] == {"credentials_file": prometheus["environment"]["METRICS_TOKEN_FILE"]}
    assert "authorization" not in jobs["flower"]
    assert Path(prometheus["environment"]["METRICS_TOKEN_FILE"]).parent == Path(prometheus["tmpfs"][0])
    assert prometheus["environment"]["METRICS_TOKEN"] == SERVICES["api"]["environment"]["MAINMASK_METRICS_TOKEN"]

    stand_in = tmp_path / "prometheus"
    stand_in.write_text('#!/bin/sh\necho "$@" "${METRICS_TOKEN-no token}"\n')
    stand_in.chmod(0o755)
    file = tmp_path / "metrics-token"
    place = {"PATH": f"{tmp_path}:{os.defpath}", "METRICS_TOKEN_FILE": str(file)}
    [mounted] = [volume for volume in prometheus["volumes"] if volume["target"] == prometheus["entrypoint"][1]]
    command = [prometheus["entrypoint"][0], mounted["source"], *prometheus["command"]]
    done = subprocess.run(
        command, env={**prometheus["environment"], **place}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [*prometheus["command"], "no", "token"]
    assert file.read_text() == prometheus["environment"]["METRICS_TOKEN"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_prometheus_is_given_its_rules() -> None:
    """The files that it names are mounted beside its own."""
    configured = yaml.safe_load((DOCKER / "prometheus.yml").read_text())
    mounted = {Path(volume["target"]): Path(volume["source"]) for volume in SERVICES["prometheus"]["volumes"]}
    assert configured["rule_files"]
    for name in configured["rule_files"]:
        assert mounted[Path("/etc/prometheus") / name].is_file()


def test_grafana_is_told_where_prometheus_is() -> None:
    """Under the id that dashboards name."""
    [source] = yaml.safe_load((DOCKER / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert (source["uid"], source["url"]) == ("prometheus", "http://prometheus:9090")
    assert "prometheus" in SERVICES
