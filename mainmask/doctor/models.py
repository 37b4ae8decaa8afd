"""The models that the service is configured for: whether a worker has them, and whether they are whole here."""

from collections.abc import Iterator

from mainmask.address import Address
from mainmask.doctor import model_files, model_table
from mainmask.doctor.finding import Finding, fail, ok, warn
from mainmask.doctor.model_files import FoundModel, State, VerifyFailed
from mainmask.doctor.model_table import NeededModel

BUNDLED = "mainmask/"
"""What the names of those begin with that come with mainmask itself."""


def check(address: Address) -> Iterator[Finding]:
    """A line for each model of the service's, or of this machine's own settings where the service doesn't tell."""
    needed = model_table.ask(address)
    try:
        found = {each.name: each for each in _here(needed)}
    except VerifyFailed:
        found = {}
        yield warn("models", "can't be looked at on this machine", "`mainmask models verify` says why")
    else:
        if not model_files.can_be_looked_at():
            remedy = "pip install 'mainmask[worker]', if a worker is to run here"
            yield warn("models", "not looked at on this machine: the workers' packages are not here", remedy)
    if needed is None:
        yield from map(_of_this_machine, found.values())
    else:
        yield from (_of_the_service(model, found.get(model.name)) for model in needed)


def _here(needed: list[NeededModel] | None) -> list[FoundModel]:
    if not model_files.can_be_looked_at():
        return []
    return model_files.verify([model.name for model in needed or ()])


def _of_this_machine(found: FoundModel) -> Finding:
    """By the settings here: a worker that has them would not start without it."""
    name = f"model {found.name}"
    if found.state is State.WHOLE:
        return ok(name, f"whole on this machine (revision {found.revision})")
    return fail(name, f"{found.state} on this machine: {found.fault}", _fetch(found.name, ""))


def _of_the_service(needed: NeededModel, found: FoundModel | None) -> Finding:
    name = f"model {needed.name}"
    fetch = _fetch(needed.name, needed.fetched_as)
    if found and found.state is State.DAMAGED:
        return fail(name, f"damaged on this machine: {found.fault}", fetch)
    if needed.ready:
        return _that_a_worker_has(name, needed, found, fetch)
    says = "no worker has it" if needed.by_default else "jobs may name it, but no worker has it"
    if found and found.state is State.WHOLE:
        return warn(name, f"whole on this machine, but {says} loaded", "start a worker, or look into its log")
    if found or needed.by_default:
        here = "missing on this machine, and " if found else ""
        where = "" if found else "on the workers' machines: "
        return fail(name, f"{here}{says}: jobs for it wait", f"{where}{fetch}; then start the worker")
    return warn(name, says, f"on the workers' machines: {fetch}; then start the worker")


def _that_a_worker_has(name: str, needed: NeededModel, found: FoundModel | None, fetch: str) -> Finding:
    says = f"a worker has it (revision {needed.revision})"
    if found is None:
        return ok(name, says)
    if found.state is State.MISSING:
        return warn(name, f"{says}; missing on this machine", f"{fetch}, if a worker is to run here")
    if found.revision != needed.revision:
        return warn(name, f"{says}; this machine has other weights ({found.revision})", "have all workers use the same")
    return ok(name, f"{says}; whole on this machine")


def _fetch(name: str, fetched_as: str) -> str:
    """Without a name to fetch, it is all that this machine's settings need."""
    return "install mainmask again" if name.startswith(BUNDLED) else f"mainmask models pull {fetched_as}".rstrip()
