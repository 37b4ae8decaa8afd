"""What can keep a checkpoint from being pulled, one class a cause."""

from db.errors import MainmaskError


class PullOffline(MainmaskError):
    """The settings forbid the network."""

    code = "pull-offline"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The model {name} is not here, and MAINMASK_MODELS_OFFLINE or HF_HUB_OFFLINE forbids to fetch it."
        )


class PullUnreachable(MainmaskError):
    """The server doesn't answer, breaks off, or has trouble of its own. What came stays for the next attempt."""

    code = "pull-unreachable"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} can't be fetched: {reason}. Try again: it goes on where it stopped.")


class PullRefused(MainmaskError):
    """The server won't give it, or can't be asked with the proxy and certificates that the environment names."""

    code = "pull-refused"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} can't be fetched: {reason}.")


class NotAsPublished(MainmaskError):
    """What came isn't the file that it should be; it was thrown away."""

    code = "not-as-published"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} gave something else than the model's file: {reason}. Nothing of it is kept.")


class DiskFailed(MainmaskError):
    """The models' folder takes no more, or can't be written."""

    code = "disk-failed"

    def __init__(self, folder: object, reason: str) -> None:
        super().__init__(f"{folder}: {reason}. The setting MAINMASK_MODELS_DIR names another folder.")


class PullRunning(MainmaskError):
    """Another process is pulling the same checkpoint."""

    code = "pull-running"

    def __init__(self, name: str) -> None:
        super().__init__(f"The model {name} is being pulled already, by another process.")


class UnknownName(MainmaskError):
    """Neither a profile nor a model has this name."""

    code = "unknown-name"

    def __init__(self, name: str, profiles: list[str], models: list[str]) -> None:
        super().__init__(
            f"There is no profile or model {name!r}. Profiles: {', '.join(profiles)}. Models: {', '.join(models)}."
        )
