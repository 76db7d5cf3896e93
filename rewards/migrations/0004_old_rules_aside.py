"""The rules of one rate per currency make room for rules that marketers compose (0005 carries them over)."""

import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("rewards", "0003_merge_kind")]

    operations = [
        pgtrigger.migrations.RemoveTrigger(model_name="earningrule", name="read_only"),
        pgtrigger.migrations.RemoveTrigger(model_name="earningrule", name="keep"),
        migrations.RemoveConstraint(model_name="earningrule", name="rewards_earningrule_version"),
        migrations.RemoveConstraint(model_name="earningrule", name="rewards_earningrule_active"),
        migrations.RemoveConstraint(model_name="earningrule", name="rewards_earningrule_positive"),
        migrations.RenameModel("EarningRule", "OldEarningRule"),
        # An index keeps its name when its table is renamed, and the new table needs it.
        migrations.RunSQL(
            "ALTER INDEX rewards_earningrule_created_by_id_f180d06d RENAME TO rewards_oldearningrule_created_by",
            "ALTER INDEX rewards_oldearningrule_created_by RENAME TO rewards_earningrule_created_by_id_f180d06d",
        ),
        migrations.AlterModelOptions("OldEarningRule", options={"default_permissions": ()}),
    ]
