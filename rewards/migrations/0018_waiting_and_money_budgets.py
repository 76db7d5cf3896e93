from datetime import UTC, datetime

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rewards", "0017_counted_tiers")]

    operations = [
        migrations.AddField(
            model_name="earningrule",
            name="budget_money",
            field=models.DecimalField(
                blank=True,
                decimal_places=4,
                help_text="In the programme's currency: as many points as it pays for at what a point costs.",
                max_digits=14,
                null=True,
                verbose_name="budget in money",
            ),
        ),
        migrations.AddConstraint(
            model_name="earningrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("budget_money", None),
                    models.Q(("budget_money__gte", 0), ("unit", "points")),
                    _connector="OR",
                ),
                name="rewards_rule_budget_money",
            ),
        ),
        migrations.AddIndex(
            model_name="lot",
            index=models.Index(
                condition=models.Q(
                    ("available_from__gte", datetime(9000, 1, 1, 0, 0, tzinfo=UTC)), ("remaining__gt", 0)
                ),
                fields=["id"],
                name="rewards_lot_waiting",
            ),
        ),
    ]
