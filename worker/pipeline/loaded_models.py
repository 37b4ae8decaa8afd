"""The models that a process holds: each one loaded once, and no more of them than there is room for."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from db.checkpoints import Checkpoint
from worker.pipeline.checkpoints import LoadedModel


class LoadedModels:
    """Models by their checkpoint's name; that of least recent use makes room. For any number of threads."""

    def __init__(self, load: Callable[[Checkpoint], LoadedModel], maximum: int) -> None:
        """`load` makes what isn't there yet. A model that is let go stays in memory until its last call ends.

        There is always room for one besides those that are kept.
        """
        self._load = load
        self._maximum = maximum
        self._kept: set[str] = set()
        self._models: OrderedDict[str, Future[LoadedModel]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, checkpoint: Checkpoint) -> LoadedModel:
        """The checkpoint's model, which never makes room: who asked holds on to it, so that nothing would be freed."""
        with self._lock:
            self._kept.add(checkpoint.name)
        return self.get(checkpoint)

    def get(self, checkpoint: Checkpoint) -> LoadedModel:
        """The checkpoint's model: whoever asks while it is being loaded waits for the same one.

        Raises what `load` raises; then the next caller tries again.
        """
        with self._lock:
            future = self._models.get(checkpoint.name)
            is_ours = future is None
            if future is None:
                future = self._models[checkpoint.name] = Future()
            self._models.move_to_end(checkpoint.name)
            self._make_room()
        if is_ours:
            self._fill(checkpoint, future)
        return future.result()

    def _make_room(self) -> None:
        """For the model that was asked for last."""
        newest = next(reversed(self._models))
        others = [name for name in self._models if name not in self._kept and name != newest]
        for name in others[: max(0, len(self._models) - self._maximum)]:
            del self._models[name]

    def _fill(self, checkpoint: Checkpoint, future: "Future[LoadedModel]") -> None:
        try:
            future.set_result(self._load(checkpoint))
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            with self._lock:
                if self._models.get(checkpoint.name) is future:
                    del self._models[checkpoint.name]
            future.set_exception(error)
