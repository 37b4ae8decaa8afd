"""What a job outside of its models is measured against: the same calls of servers and libraries, made by hand.

No HTTP, no framework, no queue, no claim: what is left when all of ours is gone. A floor for this machine.
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

import numpy as np
import psycopg
import redis

from db.image_limits import ImageLimits
from db.settings import settings
from db.storage import object_store
from tests.benchmarks.pictures import SIZE
from worker.pipeline import masks
from worker.pipeline.images import decode
from worker.pipeline.results import Box

QUEUE = "by-hand"
BOX: Box = (140.0, 110.0, 460.0, 370.0)
RESULT = json.dumps({"candidates": [{"label": "snowboard", "score": 0.9}]})


@contextmanager
def ready() -> Iterator[Callable[[bytes], float]]:
    """Gives what makes a picture's calls of the servers that the settings name, and says how many seconds they took."""
    url = settings().database_url.replace("+psycopg", "")
    broker = redis.Redis.from_url(settings().redis_url)
    with psycopg.connect(url) as postgres, ThreadPoolExecutor(3) as pool:
        postgres.execute("CREATE TABLE IF NOT EXISTS by_hand (id uuid PRIMARY KEY, result jsonb)")
        postgres.commit()
        yield lambda picture: _seconds(picture, postgres, broker, pool)


def _seconds(picture: bytes, postgres: "psycopg.Connection", broker: "redis.Redis", pool: ThreadPoolExecutor) -> float:
    begun = time.perf_counter()
    store, job_id = object_store(), uuid4()
    # The submission: the picture, the row, the message.
    store.put(f"by-hand/{job_id}/image", picture, "image/jpeg")
    postgres.execute("INSERT INTO by_hand VALUES (%s, %s)", (job_id, RESULT))
    postgres.commit()
    broker.lpush(QUEUE, str(job_id))
    broker.brpop(QUEUE)
    # The claim, and what each of three stages stores.
    _update(postgres, job_id)
    image = decode(store.get(f"by-hand/{job_id}/image"), ImageLimits())
    _update(postgres, job_id)
    _update(postgres, job_id)
    mask = _disc()
    drawn = {
        "overlay": partial(masks.overlay, image, mask, BOX),
        "cutout": partial(masks.cutout, image, mask),
        "mask": partial(masks.encode_png, mask),
    }

    def keep(name: str) -> None:
        store.put(f"by-hand/{job_id}/{name}", drawn[name](), "image/png")

    list(pool.map(keep, drawn))
    _update(postgres, job_id)
    return time.perf_counter() - begun


def _update(postgres: "psycopg.Connection", job_id: object) -> None:
    postgres.execute("UPDATE by_hand SET result = %s WHERE id = %s", (RESULT, job_id))
    postgres.commit()


def _disc() -> masks.BoolMask:
    """The mask of something round."""
    width, height = SIZE
    rows, columns = np.ogrid[:height, :width]
    return np.asarray(((columns - 300) / 150) ** 2 + ((rows - 240) / 120) ** 2 < 1)
