"""Features of pictures that workers leave for each other in the object storage."""

import logging

from db.errors import ObjectMissing, StorageUnavailable
from db.keys import features_key
from db.storage import ObjectStore

logger = logging.getLogger(__name__)


class SharedFeatures:
    """A `FeatureStore` in the object storage. It saves time and nothing else: where it fails, one goes without."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def load(self, name: str) -> bytes | None:
        """What any worker has left under the name."""
        try:
            return self._store.get(features_key(name))
        except ObjectMissing:
            return None
        except StorageUnavailable as error:
            logger.warning("features are computed again: %s", error)
            return None

    def save(self, name: str, data: bytes) -> None:
        """Leave it for the others; the sweep removes it after a while."""
        try:
            self._store.put(features_key(name), data, "application/octet-stream")
        except StorageUnavailable as error:
            logger.warning("features stay with this worker: %s", error)
