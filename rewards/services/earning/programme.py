"""Which rules are tried: those that count now, with drafts in the place of what they would follow."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q

from rewards.earning.definition import parse
from rewards.earning.facts import Rule
from rewards.enums import RuleState, VersionState
from rewards.models import EarningRule, RuleVersion
from rewards.queries_budgets import limits_of
from rewards.services.earning.publishing import version_at

AS_PUBLISHED, DRAFT, OUT = "published", "draft", "out"


def tried_rule(rule: EarningRule, version: RuleVersion, *, timed: bool = False) -> Rule:
    """A version as the engine takes it; where `timed`, only while it is in force."""
    return Rule(
        id=rule.pk,
        version_id=version.pk,
        number=version.number,
        name=str(rule),
        definition=parse(version.definition, rule.trigger, rule.unit),
        since=version.valid_from if timed else None,
        until=version.valid_until if timed else None,
    )


def in_use(trigger: str | None = None, *, at: datetime | None = None) -> list[Any]:
    """Rules that have not ended, and with `at` those that counted at that moment, each with `.published`, `.draft`."""
    counts = Q(state__in=set(RuleState) - {RuleState.ENDED, RuleState.ARCHIVED})
    if at is not None:
        then = RuleVersion.objects.filter(state=VersionState.PUBLISHED, valid_until__gt=at)
        then = then.filter(Q(valid_from=None) | Q(valid_from__lte=at))
        counts |= Q(pk__in=then.values("rule"))
    rules = EarningRule.objects.filter(counts).order_by("position", "pk")
    if trigger:
        rules = rules.filter(trigger=trigger)
    found: list[Any] = list(rules.prefetch_related("versions"))
    for rule in found:
        versions = list(rule.versions.all())
        rule.published = [one for one in versions if one.state == VersionState.PUBLISHED]
        rule.draft = next((one for one in versions if one.state == VersionState.DRAFT), None)
    return found


def usual_choice(rule: Any) -> str:
    """What is tried unless somebody chooses: the draft where there is one, else what counts."""
    if rule.draft:
        return DRAFT
    return OUT if rule.state in (RuleState.PAUSED, RuleState.DRAFT) else AS_PUBLISHED


def compose(chosen: Mapping[int, str], *, trigger: str | None = None, at: datetime | None = None) -> list[Rule]:
    """The rules to try at one moment: by rule, its published versions each in its own time, or its draft at any."""
    rules: list[Rule] = []
    for rule in in_use(trigger, at=at):
        match chosen.get(rule.pk):
            case "published":
                rules += [tried_rule(rule, version, timed=True) for version in rule.published]
            case "draft" if rule.draft:
                rules.append(tried_rule(rule, rule.draft))
    return rules


def snapshot(chosen: Mapping[int, str], *, trigger: str, at: datetime) -> list[dict[str, Any]]:
    """The rules to try over a period, as they are now and as a replay keeps them: one version each, at all times."""
    kept = []
    rules = in_use(trigger)
    limits = limits_of(rule.pk for rule in rules)
    for rule in rules:
        what = chosen.get(rule.pk)
        version = rule.draft if what == DRAFT else version_at(rule.published, at) if what == AS_PUBLISHED else None
        if version is not None:
            kept.append(
                {
                    "rule": rule.pk,
                    "version": version.number,
                    "version_id": version.pk,
                    "draft": what == DRAFT,
                    "name_en": rule.name_en,
                    "name_zh_hans": rule.name_zh_hans or rule.name_en,
                    "trigger": rule.trigger,
                    "unit": rule.unit,
                    "budget": limits.get(rule.pk),
                    "definition": version.definition,
                }
            )
    return kept


def read_snapshot(kept: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """What snapshot() kept, as the engine takes it. BadRule where a definition cannot be read any more."""
    return [
        Rule(
            id=one["rule"],
            version_id=one["version_id"],
            number=one["version"],
            name=one["name_en"],
            definition=parse(one["definition"], one["trigger"], one["unit"]),
        )
        for one in kept
    ]
