"""The Celery application as Flower knows it: `celery --app worker.flower flower`.

Flower watches events, and needs none of the tasks; but it counts the messages that wait, and has to know how queues lie
in Redis.
"""

from db.messages import celery_app
from db.settings import settings

app = celery_app(settings())
