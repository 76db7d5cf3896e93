"""Waking a worker. The work itself is in a table, where a tick of the beat finds it even if nobody hears the bell."""

from celery import Task, current_app
from django.db import transaction


def ring(task: str | Task, *args) -> None:
    """Sends a task after the commit. A broker that is down is logged and costs nothing but time.

    A service names the task ("members.tasks.run_reactions"), because tasks import services and not the other way.
    """
    name = task if isinstance(task, str) else task.name
    transaction.on_commit(lambda: current_app.send_task(name, args), robust=True)
