"""The Celery application as Flower knows it: `celery --app worker.flower flower`.

Flower watches events, and needs none of the tasks; but it counts the messages that wait, and has to know how queues lie
in Redis, and which ones there are when no worker is up to say so.
"""

from kombu.entity import Queue

from db.messages import WEBHOOKS, celery_app
from db.settings import settings
from db.states import StageName

app = celery_app(settings())
app.conf.task_queues = [Queue(name) for name in (*StageName, WEBHOOKS)]  # type: ignore[no-untyped-call]  # kombu is untyped
app.conf.task_default_queue = StageName.CLASSIFY
