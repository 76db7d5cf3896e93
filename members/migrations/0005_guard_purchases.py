import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('members', '0004_cache_table'),
    ]

    operations = [
        migrations.AlterField(
            model_name='programme',
            name='id',
            field=models.BigIntegerField(default=1, editable=False, primary_key=True, serialize=False),
        ),
        migrations.AlterField(
            model_name='refund',
            name='actor',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='staff'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='purchase',
            trigger=pgtrigger.compiler.Trigger(name='read_only', sql=pgtrigger.compiler.UpsertTriggerSql(condition='WHEN (OLD."id" IS DISTINCT FROM (NEW."id") OR OLD."member_id" IS DISTINCT FROM (NEW."member_id") OR OLD."source" IS DISTINCT FROM (NEW."source") OR OLD."key" IS DISTINCT FROM (NEW."key") OR OLD."fingerprint" IS DISTINCT FROM (NEW."fingerprint") OR OLD."purchased_at" IS DISTINCT FROM (NEW."purchased_at") OR OLD."currency" IS DISTINCT FROM (NEW."currency") OR OLD."amount_minor" IS DISTINCT FROM (NEW."amount_minor") OR OLD."store" IS DISTINCT FROM (NEW."store") OR OLD."channel" IS DISTINCT FROM (NEW."channel") OR OLD."created_at" IS DISTINCT FROM (NEW."created_at"))', func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='37436c031ecfbf6b0d9655bd4809c4914389095b', operation='UPDATE', pgid='pgtrigger_read_only_32fb0', table='members_purchase', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='purchase',
            trigger=pgtrigger.compiler.Trigger(name='keep', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;", hash='3a82bbb16395ac923fb8357a0a743217be0f43b6', operation='DELETE', pgid='pgtrigger_keep_afe39', table='members_purchase', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='purchaseline',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='b39fdd592025a7e4d7179b3ca3591289c4a368cd', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_77cce', table='members_purchaseline', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='refund',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='beeb015030ea2be791e1f52a2b8747c54373c669', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_ffe74', table='members_refund', when='BEFORE')),
        ),
    ]
