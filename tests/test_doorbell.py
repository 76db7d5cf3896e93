"""The bell that wakes a worker: every name that is rung is a task, and a broker that is away loses no commit."""

import re
from pathlib import Path

import pytest
from celery import Celery, current_app
from django.db import transaction

from common import doorbell
from members.models import Programme

ROOT = Path(__file__).parent.parent
APPS = ("loyalty_crm", "portal", "api", "analytics", "campaigns", "rewards", "members")


def test_every_bell_and_every_tick_has_its_task():
    current_app.loader.import_default_modules()
    files = [file for app in APPS for file in (ROOT / app).rglob("*.py")]
    named = {name for file in files for name in re.findall(r'"(\w+\.tasks\.\w+)"', file.read_text())}
    assert "members.tasks.run_reactions" in named
    assert named - set(current_app.tasks) == set()


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_is_a_line_in_the_log_and_no_more(monkeypatch, caplog):
    away = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    away.conf.broker_transport_options = current_app.conf.broker_transport_options
    away.conf.task_publish_retry = False
    monkeypatch.setattr(doorbell, "current_app", away)
    with transaction.atomic():
        Programme.objects.update_or_create(pk=1, defaults={"name": "Kept"})
        doorbell.ring("members.tasks.run_reactions")
    assert Programme.objects.get(pk=1).name == "Kept"
    assert [record for record in caplog.records if "broker is away" in record.getMessage() and not record.exc_info]
