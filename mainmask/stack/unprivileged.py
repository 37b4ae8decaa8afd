"""Runs a program as an ordinary user when the stack itself runs as root, which Postgres refuses to."""

import os
import pwd
import shutil
import signal
import stat
from collections.abc import Sequence
from pathlib import Path

from mainmask.stack.errors import ServerRefusesRoot

USER = "nobody"
"""It is on every system, so that none needs to be added."""


def as_unprivileged(
    command: Sequence[str], folder: Path, *, orphan_signal: signal.Signals = signal.SIGKILL
) -> list[str]:
    """The command that runs `command`, which works in `folder`, as an ordinary user: itself, unless we are root.

    Raises:
        ServerRefusesRoot: we are root, and setpriv is not installed.
    """
    if os.geteuid() != 0:
        return list(command)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ServerRefusesRoot
    user = pwd.getpwnam(USER)
    options = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if not (_open_to_all(folder) and _open_to_all(Path(command[0]))):
        # Root's home is closed to others. Opening it would be worse than letting this one program in.
        options += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    # Becoming another user has cleared what the launcher asked the kernel for.
    options.append(f"--pdeathsig={orphan_signal.name.removeprefix('SIG')}")
    return [setpriv, *options, "--", *command]


def give_to_unprivileged(path: Path) -> None:
    """Make `path` the ordinary user's own, if we are root."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(USER)
        os.chown(path, user.pw_uid, user.pw_gid)


def _open_to_all(path: Path) -> bool:
    resolved = path.resolve()
    return all(step.stat().st_mode & stat.S_IXOTH for step in (resolved, *resolved.parents) if step.exists())
