"""The Celery worker: tasks, retry policies and the three model stages."""
