"""Fixtures for every test: real PostgreSQL, real files in a folder of the test's own, a real browser."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.apps import apps
from django.core.files.storage import storages
from django.db import connection, transaction
from django.db.models import FileField
from django.template import RequestContext
from django.test import TransactionTestCase
from django.test import client as test_client
from django.utils import translation

from campaigns.apps import open_calendar
from loyalty_crm.celery import settle_down
from rewards.apps import open_system_accounts

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # playwright's sync API runs a loop in this thread

# What every migration leaves behind, the same each time.
KEPT = {"django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}


def _empty_tables(test_case: TransactionTestCase) -> None:
    """Takes away what a test has committed. Django would truncate every table and grant every permission anew, which
    takes a second; here the few tables that hold something are deleted from, with triggers and foreign keys asleep."""
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT
    quoted = [connection.ops.quote_name(table) for table in sorted(tables)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in quoted))
        filled = [name for (name,) in cursor.fetchall()]
        cursor.execute("SET LOCAL session_replication_role = replica")
        for name in filled:
            cursor.execute(f"DELETE FROM {name}")
    for opened in (open_system_accounts, open_calendar):  # as after a migration
        opened(using=connection.alias)


TransactionTestCase._fixture_teardown = _empty_tables


def _keep_context(store, signal, sender, template, context, **kwargs):
    """Keeps for `answer.context` what the page itself was drawn with. Django would copy it for every included piece
    and every widget as well, hundreds of times a page: two fifths of the time of a page of the admin."""
    if isinstance(context, RequestContext) and context.template is template:
        _store_rendered_templates(store, signal, sender, template, context, **kwargs)


_store_rendered_templates = test_client.store_rendered_templates
test_client.store_rendered_templates = _keep_context


def pytest_collection_finish(session):
    """As servers and workers do: to look for cycles of dead objects again and again took a seventh of the time."""
    settle_down()


@pytest.fixture(autouse=True)
def _own_files(settings, tmp_path, monkeypatch):
    """No test sees another's mail or uploads."""
    settings.OUTBOX_DIR = tmp_path / "outbox"
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.PRIVATE_ROOT = tmp_path / "private"
    settings.STORAGES = {
        **settings.STORAGES,
        "private": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "private"},
        },
    }
    private = storages["private"]
    for model in apps.get_models():  # a field keeps the storage that it was made with
        for field in model._meta.fields:
            if isinstance(field, FileField) and getattr(field, "_storage_callable", None) is not None:
                monkeypatch.setattr(field, "storage", private)


@pytest.fixture(autouse=True)
def _english():
    """A request leaves its language behind in the thread: each test begins in English."""
    with translation.override("en"):
        yield


def pytest_runtest_logreport(report):
    """Says at once what failed, and not only at the end: a run that is cut short has said it by then."""
    if report.failed and not os.environ.get("PYTEST_XDIST_WORKER"):
        print(f"\n{report.nodeid} ({report.when}) failed:\n{report.longreprtext[-3000:]}\n", flush=True)


@pytest.fixture
def at() -> datetime:
    """A moment to act at."""
    return datetime(2026, 5, 12, 10, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync"]
    found = {"executable_path": chromium} if chromium and Path(chromium).exists() else {}
    return {**browser_type_launch_args, **found, "args": quiet}
