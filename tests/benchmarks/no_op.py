"""What three stages are measured against: a Celery task that hands on to itself twice, and does nothing else."""

import os

from celery import Celery

QUEUE = "no-op"
HOPS = 3
DONE = "no-op:done"
"""The Redis list that the last hop of each chain adds to."""

app = Celery("no-op", broker=os.environ.get("MAINMASK_REDIS_URL"))
app.conf.update(task_default_queue=QUEUE, task_ignore_result=True, worker_prefetch_multiplier=4)


def hop(number: int) -> None:
    """One of the three."""
    if number < HOPS:
        app.send_task("hop", args=[number + 1])
    else:
        with app.pool.acquire(block=True) as connection:
            connection.default_channel.client.lpush(DONE, 1)


app.task(hop, name="hop")
