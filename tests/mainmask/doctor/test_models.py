"""What the doctor says of the models that a service is configured for."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainmask.address import Address
from mainmask.doctor import model_files, models
from mainmask.doctor.finding import Finding, Health
from mainmask.stack.stack import Stack
from tests.mainmask.fake_service import FakeService, problem, serving

CLIP, DINO, SAM = "openai/clip-vit-base-patch32", "IDEA-Research/grounding-dino-tiny", "segment-anything/vit-b"
SLIM = "nielsr/slimsam-77-uniform"
BASE = {"classify": CLIP, "detect": DINO, "segment": SAM}
TINY = {stage: f"mainmask/tiny-{name}" for stage, name in zip(BASE, ("clip", "grounding-dino", "sam"), strict=True)}
WEIGHTS = {CLIP: "model.safetensors", DINO: "model.safetensors", SAM: "sam_vit_b_01ec64.pth", SLIM: "model.safetensors"}
REVISION = hashlib.sha256(b"weights").hexdigest()[:12]


class Configured(FakeService):
    """A service that says which models it needs, and of which of them a worker has told."""

    def __init__(self) -> None:
        super().__init__()
        self.profile = "base"
        self.chosen = dict(BASE)
        self.lent: set[str] = set()
        self.ready: dict[str, str] = dict.fromkeys(BASE.values(), REVISION)
        self.refusal: httpx.Response | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        stages = {**{name: stage for stage, name in (*TINY.items(), *BASE.items())}, SLIM: "segment"}
        listed = [self._line(name, stage) for name, stage in stages.items()]
        table = {"profile": self.profile, "profiles": {"tiny": TINY, "base": BASE}, "models": listed}
        return self.refusal or httpx.Response(200, json=table)

    def _line(self, name: str, stage: str) -> dict[str, Any]:
        told = {"default": name in self.chosen.values(), "lent": name in self.lent, "ready": name in self.ready}
        about = {"license": "Apache-2.0", "commercial_use": True, "parameters": 1, "input_pixels": 1, "sha256": None}
        return {"name": name, "stage": stage, **about, **told, "revision": self.ready.get(name)}


@pytest.fixture
def configured() -> Configured:
    """It runs the profile base, all of which a worker has."""
    return Configured()


@pytest.fixture
def url(configured: Configured) -> Iterator[str]:
    """Its address."""
    with serving(configured) as address:
        yield address


@pytest.fixture
def pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts models into this machine's folder, as a pull leaves them; returns their weights' file."""
    monkeypatch.setenv("MAINMASK_MODELS_DIR", str(tmp_path / "models"))

    def pull(*names: str, weights: bytes = b"weights") -> Path:
        for name in names:
            folder = tmp_path / "models" / name.replace("/", "--")
            folder.mkdir(parents=True)
            (folder / WEIGHTS[name]).write_bytes(weights)
            (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(weights).hexdigest()}  {WEIGHTS[name]}\n")
        return folder / WEIGHTS[name]

    return pull


def findings(url: str) -> dict[str, Finding]:
    """What is found, by name."""
    return {finding.name: finding for finding in models.check(Address.chosen(url, None))}


def test_the_models_of_the_services_profile_are_looked_at(url: str, pulled: Callable[..., Path]) -> None:
    """Not the bundled ones, which it doesn't need."""
    pulled(CLIP, DINO, SAM)
    found = findings(url)
    assert found.keys() == {f"model {name}" for name in BASE.values()}
    assert {finding.health for finding in found.values()} == {Health.OK}
    assert f"a worker has it (revision {REVISION}); whole on this machine" in found[f"model {SAM}"].says


def test_a_real_service_with_its_own_models(stack: Stack) -> None:
    """The bundled ones: the worker's revisions are those of the files here."""
    found = findings(stack.api_url)
    assert found.keys() == {f"model {name}" for name in TINY.values()}
    for finding in found.values():
        assert finding.health is Health.OK
        assert finding.says.endswith("; whole on this machine")


def test_those_that_nobody_has_are_told_with_what_fetches_them(
    configured: Configured, url: str, pulled: Callable[..., Path]
) -> None:
    """Whole, missing and damaged ones apart; the profile is fetched by its name."""
    configured.ready = {}
    pulled(CLIP)
    pulled(SAM).write_bytes(b"weig")
    found = findings(url)
    clip, dino, sam = (found[f"model {name}"] for name in BASE.values())
    assert (clip.health, dino.health, sam.health) == (Health.WARN, Health.FAIL, Health.FAIL)
    assert clip.says == "whole on this machine, but no worker has it loaded"
    assert dino.says == "missing on this machine, and no worker has it: jobs for it wait"
    assert "damaged on this machine" in sam.says
    assert "SHA-256" in sam.says
    assert dino.remedy == "mainmask models pull base; then start the worker"
    assert sam.remedy == "mainmask models pull base"


def test_a_damaged_one_fails_though_a_worker_elsewhere_has_it(url: str, pulled: Callable[..., Path]) -> None:
    """A worker on this machine would not start."""
    pulled(CLIP, DINO)
    pulled(SAM).unlink()
    assert findings(url)[f"model {SAM}"].health is Health.FAIL


def test_a_model_instead_of_the_profiles_is_looked_at_in_its_place(
    configured: Configured, url: str, pulled: Callable[..., Path]
) -> None:
    """And fetched by its own name, because the profile would fetch another one."""
    pulled(CLIP, DINO)
    configured.chosen["segment"] = SLIM
    configured.ready = {CLIP: REVISION, DINO: REVISION}
    found = findings(url)
    assert found.keys() == {f"model {name}" for name in (CLIP, DINO, SLIM)}
    assert found[f"model {SLIM}"].health is Health.FAIL
    assert found[f"model {SLIM}"].remedy == f"mainmask models pull {SLIM}; then start the worker"


def test_models_that_jobs_may_name_are_looked_at_too(
    configured: Configured, url: str, pulled: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker can lend what it hasn't; where nothing can be seen from here, that is a warning."""
    pulled(CLIP, DINO, SAM)
    configured.lent = {SLIM}
    assert findings(url)[f"model {SLIM}"].health is Health.FAIL
    monkeypatch.setattr(model_files, "NEEDED", ("no_such_package",))
    assert findings(url)[f"model {SLIM}"].health is Health.WARN


def test_a_machine_without_models_may_be_a_callers(url: str, pulled: Callable[..., Path], tmp_path: Path) -> None:
    """Where a worker elsewhere has them, missing ones are a warning."""
    assert not (tmp_path / "models").exists()
    found = findings(url)
    assert {finding.health for finding in found.values()} == {Health.WARN}
    assert found[f"model {CLIP}"].remedy == "mainmask models pull base, if a worker is to run here"


def test_other_weights_than_the_workers_are_told(url: str, pulled: Callable[..., Path]) -> None:
    """Two workers would give two answers."""
    pulled(CLIP, DINO)
    pulled(SAM, weights=b"others")
    found = findings(url)[f"model {SAM}"]
    assert found.health is Health.WARN
    assert "other weights" in found.says


def test_without_the_workers_packages_the_service_is_believed(
    configured: Configured, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the client alone learns whether a worker has each."""
    monkeypatch.setattr(model_files, "NEEDED", ("no_such_package",))
    del configured.ready[SAM]
    found = findings(url)
    assert found["models"].health is Health.WARN
    assert "mainmask[worker]" in found["models"].remedy
    assert found[f"model {CLIP}"].health is Health.OK
    assert found[f"model {SAM}"].health is Health.FAIL
    assert found[f"model {SAM}"].remedy.startswith("on the workers' machines: mainmask models pull base")


def test_where_the_service_tells_nothing_this_machines_settings_count(
    configured: Configured, url: str, pulled: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile's models with those that are set instead; bundled ones are never fetched."""
    configured.refusal = problem(403, "forbidden", "No.")
    monkeypatch.setenv("MAINMASK_PROFILE", "tiny")
    monkeypatch.setenv("MAINMASK_SEGMENT_MODEL", SAM)
    found = findings(url)
    assert found.keys() == {f"model {name}" for name in (TINY["classify"], TINY["detect"], SAM)}
    assert found[f"model {TINY['classify']}"].health is Health.OK
    assert found[f"model {SAM}"].health is Health.FAIL
    assert found[f"model {SAM}"].says.endswith("/models/segment-anything--vit-b")
    assert found[f"model {SAM}"].remedy == "mainmask models pull"
    pulled(SAM)
    assert findings(url)[f"model {SAM}"].health is Health.OK


@pytest.mark.parametrize("answer", [{}, {"models": 7}, {"models": [], "profile": "base"}, []], ids=str)
def test_a_table_that_is_none_is_as_if_nothing_were_told(
    configured: Configured, url: str, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    """Without a traceback."""
    monkeypatch.setattr(model_files, "NEEDED", ("no_such_package",))
    configured.refusal = httpx.Response(200, json=answer)
    assert findings(url).keys() == {"models"}


def test_wrong_settings_are_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be secrets; what tells them is named."""
    monkeypatch.setenv("MAINMASK_ADMIN_KEY", "5ec3et")
    monkeypatch.setenv("MAINMASK_PROFILE", "huge")
    (finding,) = findings("http://127.0.0.1:9").values()
    assert (finding.health, finding.remedy) == (Health.WARN, "`mainmask models verify` says why")
    assert "5ec3et" not in finding.says
