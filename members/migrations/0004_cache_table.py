"""The table of the cache, as Django makes it."""

from django.core.management import call_command
from django.db import migrations


def create(apps, schema_editor):
    call_command("createcachetable", "crm_cache", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0003_import_progress'),
    ]

    operations = [
        migrations.RunPython(create, migrations.RunPython.noop),
    ]
