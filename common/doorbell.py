"""Waking a worker. The work itself is in a table, where a tick of the beat finds it even if nobody hears the bell."""

from celery import Task
from django.db import transaction


def ring(task: Task, *args) -> None:
    """Sends `task` after the commit. A broker that is down is logged and costs nothing but time."""
    transaction.on_commit(lambda: task.delay(*args), robust=True)
