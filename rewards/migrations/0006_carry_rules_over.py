"""Ranks for the tiers, and the rules of one rate per currency as rules that marketers compose."""

from django.db import migrations

_SQL = """
UPDATE rewards_tier AS tier SET rank = ranked.rank, threshold = nullif(tier.threshold, 0)
FROM (SELECT id, row_number() OVER (ORDER BY threshold) - 1 AS rank FROM rewards_tier) AS ranked
WHERE ranked.id = tier.id;

INSERT INTO rewards_earningrule
    (name, name_en, name_zh_hans, description, trigger, unit, state, position, created_at, created_by_id)
SELECT 'Purchases in ' || currency, 'Purchases in ' || currency, currency || ' 消费', '', 'purchase', 'points',
       CASE WHEN bool_or(active) THEN 'live' ELSE 'ended' END, 0, min(created_at), (array_agg(created_by_id))[1]
FROM rewards_oldearningrule GROUP BY currency ORDER BY currency;

INSERT INTO rewards_ruleversion
    (rule_id, number, state, definition, valid_from, valid_until, created_at, created_by_id, published_at)
SELECT rule.id, old.version, 'published',
       jsonb_build_object(
           'effect', jsonb_build_object('kind', 'per_amount', 'points', trim_scale(old.points_per_unit)::text, 'per', '1'),
           'conditions', jsonb_build_object('currency', old.currency),
           'expiry', jsonb_build_object('kind', 'rolling', 'months', old.valid_months)),
       CASE WHEN old.version = 1 THEN NULL ELSE old.created_at END,
       lead(old.created_at) OVER (PARTITION BY old.currency ORDER BY old.version),
       old.created_at, old.created_by_id, old.created_at
FROM rewards_oldearningrule AS old JOIN rewards_earningrule AS rule ON rule.name = 'Purchases in ' || old.currency
ORDER BY old.id;
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0005_rewards_entire")]

    operations = [migrations.RunSQL(_SQL.replace("%", "%%"), migrations.RunSQL.noop)]
