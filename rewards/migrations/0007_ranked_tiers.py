"""Every tier has a rank, and the old rules are gone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rewards", "0006_carry_rules_over")]

    operations = [
        migrations.AlterField(
            model_name='tier',
            name='rank',
            field=models.PositiveSmallIntegerField(help_text="0 is everyone's; higher is better.", unique=True, verbose_name='rank'),
        ),
        migrations.AddConstraint(
            model_name='tier',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('rank', 0), ('spend_minor', None), ('tenure_days', None), ('threshold', None), ('visits', None)), models.Q(('rank__gt', 0), models.Q(('threshold__isnull', False), ('spend_minor__isnull', False), ('visits__isnull', False), ('tenure_days__isnull', False), _connector='OR')), _connector='OR'), name='rewards_tier_asks'),
        ),
        migrations.RemoveField(
            model_name='oldearningrule',
            name='created_by',
        ),
        migrations.DeleteModel(
            name='OldEarningRule',
        ),
    ]
