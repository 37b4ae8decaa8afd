"""The image without models has all that its processes import, and nothing heavy."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from packaging.requirements import Requirement

from tests.docker.deployment import ROOT

MODULES = (
    "api.app",
    "migrations.schema",
    "worker.maintenance",
    "worker.webhooks.app",
    "flower.command",
    "mainmask.cli",
)
"""What the image's processes are started from."""

IMPORT_WITHOUT = """
import importlib, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)

absent, modules = set(sys.argv[1].split()), sys.argv[2].split()
sys.meta_path.insert(0, Missing())
for module in modules:
    importlib.import_module(module)
"""


def closure(requirement: Requirement, seen: set[tuple[str, str]]) -> Iterator[str]:
    """The distributions that pip installs for it, as far as they are installed here; names in lower case, with -."""
    for extra in requirement.extras or {""}:
        name = requirement.name.lower().replace("_", "-")
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        yield name
        for needed in needs(name):
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                yield from closure(needed, seen)


def needs(name: str) -> list[Requirement]:
    """What the distribution names; ours by the file, because an installation here may be older than that."""
    if name == "mainmask":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        always = [Requirement(line) for line in project["dependencies"]]
        extras = project["optional-dependencies"].items()
        return always + [Requirement(f'{line}; extra == "{extra}"') for extra, lines in extras for line in lines]
    try:
        return [Requirement(line) for line in requires(name) or []]
    except PackageNotFoundError:
        return []


def test_its_processes_import_nothing_that_it_lacks() -> None:
    """Whatever else is installed on this machine is hidden from them; PyTorch is among that."""
    installed = set(closure(Requirement("mainmask[api,control]"), set()))
    assert {"fastapi", "celery", "flower", "standardwebhooks"} <= installed
    assert not {"torch", "transformers", "spacy", "opencv-python-headless"} & installed
    absent = {
        module
        for module, owners in packages_distributions().items()
        if not installed & {owner.lower().replace("_", "-") for owner in owners}
    }
    assert "torch" in absent
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT, " ".join(absent), " ".join(MODULES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
