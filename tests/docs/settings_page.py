"""`python -m tests.docs.settings_page > docs/settings.md`: all settings, as db/settings.py has them."""

import sys
from typing import Any

from pydantic.fields import FieldInfo

from db.settings import Settings

INTRODUCTION = """\
# Settings

Environment variables of the API, the workers, maintenance, webhooks, beat and the migrations, read once, as a process
starts. A wrong value ends the process, which names the variable and doesn't repeat the value. Give all processes the
same: who doesn't need one ignores it. `make generate` writes this page from `db/settings.py`.

Lists have commas between their parts. What is set in which file of a deployment: [deploy.md](deploy.md); what is worth
turning: [operations.md](operations.md#tuning).

| variable | default | |
|---|---|---|
"""

OTHERS = """
## Others

| variable | of | |
|---|---|---|
| `MAINMASK_URL` | clients | where the service is; else `http://127.0.0.1:8000` |
| `MAINMASK_API_KEY` | clients | the key, if one is asked for |
| `MAINMASK_DATA_DIR` | `mainmask up` and `demo` | the folder of the local stack's data; else `.data` |
| `FLOWER_…` | Flower | its own: [monitoring.md](monitoring.md#flower) |
| `OTEL_…` | all processes | OpenTelemetry's own: [monitoring.md](monitoring.md#traces) |
"""


def page() -> str:
    """The whole of docs/settings.md."""
    return INTRODUCTION + "".join(map(_row, Settings.model_fields.items())) + OTHERS


def _row(setting: tuple[str, FieldInfo]) -> str:
    name, field = setting
    effect = " ".join((field.description or "").replace("|", "\\|").split())
    return f"| `MAINMASK_{name.upper()}` | {_default(name, field)} | {effect} |\n"


def _default(name: str, field: FieldInfo) -> str:
    if name == "models_dir":  # another one for each user
        return "`~/.cache/mainmask/models`"
    value: Any = field.default
    if value in (None, "", frozenset()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, frozenset):
        return f"`{','.join(map(str, sorted(value)))}`"
    return f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(page())
