"""Rules on their way: a draft is edited as often as one likes; published, a version stays as it is. docs/rules.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max, Q

from rewards.earning.definition import parse
from rewards.enums import RuleState, Unit, VersionState
from rewards.models import EarningRule, RuleVersion
from rewards.queries import reward_settings
from rewards.queries_awards import net_given


class NothingToPublish(Exception):
    """The rule has no draft."""


class InThePast(Exception):
    """A later version begins now or later: what was earned already is not written anew."""


class Fixed(Exception):
    """What sets a rule off and what it gives stay once a version is published; another rule is made instead."""


class BudgetSpent(Exception):
    """The budget, or that in money (`in_money`), is less than what was given already, `spent` units."""

    def __init__(self, spent: int, *, in_money: bool = False) -> None:
        super().__init__(spent)
        self.spent, self.in_money = spent, in_money


class WrongState(Exception):
    """The rule is not where this can be done; `state` is where it is."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


@dataclass(frozen=True, slots=True)
class Plan:
    """What publishing does: which version ends, and which that were to come never begin."""

    version: RuleVersion
    ends: RuleVersion | None
    replaces: tuple[RuleVersion, ...]


def _locked(rule_id: int) -> EarningRule:
    return EarningRule.objects.select_for_update().get(pk=rule_id)


@transaction.atomic
def save_draft(
    *,
    rule_id: int | None = None,
    names: Mapping[str, str],
    descriptions: Mapping[str, str] | None = None,
    trigger: str = "purchase",
    unit: str = Unit.POINTS,
    definition: Any,
    budget: int | None = None,
    budget_money: Decimal | None = None,
    at: datetime,
    actor_id: int | None = None,
) -> RuleVersion:
    """The draft of a rule, made or changed; without `rule_id`, of a new rule.

    Names, the member's sentence and the budgets belong to the rule and count at once; `budget_money`, in units of the
    programme's currency, is for points. A draft may be as incomplete as parse() allows a definition to be.

    BadRule; Fixed; BudgetSpent; EarningRule.DoesNotExist.
    """
    parse(definition, trigger, unit)
    rule = _locked(rule_id) if rule_id else EarningRule(created_at=at, created_by_id=actor_id, position=_last() + 1)
    if (rule.trigger, rule.unit) != (trigger, unit) and rule.pk and is_published(rule):
        raise Fixed
    counts = budget is not None or budget_money is not None
    if counts and rule.budget is None and rule.budget_money is None and rule.pk:
        rule.budget_spent = net_given(rule.pk)  # without a budget nobody counted
    if budget is not None and budget < rule.budget_spent:
        raise BudgetSpent(rule.budget_spent)
    if budget_money is not None and budget_money < rule.budget_spent * reward_settings().point_cost:
        raise BudgetSpent(rule.budget_spent, in_money=True)
    rule.trigger, rule.unit, rule.budget, rule.budget_money = trigger, unit, budget, budget_money
    for code, text in names.items():
        setattr(rule, f"name_{code.replace('-', '_')}", text)
    for code, text in (descriptions or {}).items():
        setattr(rule, f"description_{code.replace('-', '_')}", text)
    rule.save()
    draft = rule.versions.filter(state=VersionState.DRAFT).first()
    if draft is None:
        latest = rule.versions.order_by("-number").first()
        if latest is not None and latest.definition == definition:
            return latest  # the names alone were changed
        number = latest.number + 1 if latest else 1
        draft = RuleVersion(rule=rule, number=number)
    draft.definition, draft.created_at, draft.created_by_id = definition, at, actor_id
    draft.save()
    return draft


def _last() -> int:
    return EarningRule.objects.aggregate(last=Max("position"))["last"] or 0


def is_published(rule: EarningRule) -> bool:
    """Whether any version of it ever was."""
    return rule.versions.filter(state=VersionState.PUBLISHED).exists()


@transaction.atomic
def discard_draft(*, rule_id: int) -> None:
    """Throws the draft away. A rule that never was published goes out of the lists. NothingToPublish."""
    rule = _locked(rule_id)
    if not is_published(rule):
        _move(rule, RuleState.ENDED, RuleState.DRAFT)
    elif not rule.versions.filter(state=VersionState.DRAFT).delete()[0]:
        raise NothingToPublish


@transaction.atomic
def publish(*, rule_id: int, valid_from: datetime | None = None, at: datetime, actor_id: int | None = None) -> Plan:
    """Lets the draft count from `valid_from` (None: from `at`), until another version takes over.

    The first version may count from a moment in the past: purchases that are reported late then earn by it. The
    version that counts until then ends there, and what was to begin at or after it never does. The budget's row is
    locked, so no purchase is posted under two versions. NothingToPublish; InThePast; BadRule.
    """
    rule = _locked(rule_id)
    draft = rule.versions.filter(state=VersionState.DRAFT).first()
    if draft is None:
        raise NothingToPublish
    parse(draft.definition, rule.trigger, rule.unit)
    begins = valid_from or at
    published = list(rule.versions.filter(state=VersionState.PUBLISHED).order_by("number"))
    if published and begins < at:
        raise InThePast
    replaced = tuple(one for one in published if one.valid_from and one.valid_from >= begins and not _is_void(one))
    holding = next((one for one in published if one not in replaced and _holds(one, begins)), None)
    for one in replaced:
        one.valid_until = one.valid_from  # an empty period: it never counts
        one.save(update_fields=["valid_until"])
    if holding:
        holding.valid_until = begins
        holding.save(update_fields=["valid_until"])
    draft.state, draft.valid_from, draft.valid_until = VersionState.PUBLISHED, begins, None
    draft.published_at, draft.published_by_id = at, actor_id
    draft.save()
    if rule.state in (RuleState.DRAFT, RuleState.ENDED, RuleState.ARCHIVED):
        rule.state = RuleState.LIVE
        rule.save(update_fields=["state"])
    return Plan(draft, holding, replaced)


def _is_void(version: RuleVersion) -> bool:
    return version.valid_from is not None and version.valid_from == version.valid_until


def _holds(version: RuleVersion, moment: datetime) -> bool:
    return (version.valid_from is None or version.valid_from <= moment) and (
        version.valid_until is None or version.valid_until > moment
    )


def version_at(versions: Any, moment: datetime) -> RuleVersion | None:
    """Which of a rule's versions counts at a moment."""
    return next((one for one in versions if one.state == VersionState.PUBLISHED and _holds(one, moment)), None)


@transaction.atomic
def pause(*, rule_id: int) -> EarningRule:
    """Nothing is given by the rule until it is resumed. WrongState."""
    return _move(_locked(rule_id), RuleState.PAUSED, RuleState.LIVE)


@transaction.atomic
def resume(*, rule_id: int) -> EarningRule:
    """WrongState where it is not paused."""
    return _move(_locked(rule_id), RuleState.LIVE, RuleState.PAUSED)


@transaction.atomic
def end(*, rule_id: int, at: datetime) -> EarningRule:
    """Ends a rule for good: what counts ends now, what was to begin never does. Another version may be published
    later. WrongState."""
    rule = _move(_locked(rule_id), RuleState.ENDED, RuleState.LIVE, RuleState.PAUSED)
    published = rule.versions.filter(state=VersionState.PUBLISHED)
    for one in published.filter(Q(valid_until=None) | Q(valid_until__gt=at)):
        one.valid_until = max(at, one.valid_from) if one.valid_from else at
        one.save(update_fields=["valid_until"])
    return rule


@transaction.atomic
def archive(*, rule_id: int) -> EarningRule:
    """Takes a rule that has ended, or never began, out of the lists. What it gave stays explained by it. WrongState."""
    return _move(_locked(rule_id), RuleState.ARCHIVED, RuleState.ENDED, RuleState.DRAFT)


@transaction.atomic
def bring_back(*, rule_id: int) -> EarningRule:
    """Puts an archived rule back: as ended, or as the draft that it was. WrongState."""
    rule = _locked(rule_id)
    return _move(rule, RuleState.ENDED if is_published(rule) else RuleState.DRAFT, RuleState.ARCHIVED)


def _move(rule: EarningRule, to: RuleState, *sources: RuleState) -> EarningRule:
    if rule.state not in sources:
        raise WrongState(rule.state)
    rule.state = to
    rule.save(update_fields=["state"])
    return rule


@transaction.atomic
def duplicate(*, rule_id: int, names: Mapping[str, str], at: datetime, actor_id: int | None = None) -> EarningRule:
    """A new rule that begins as a draft of what this one is, without its budget's spending."""
    rule: Any = EarningRule.objects.get(pk=rule_id)
    version = rule.versions.order_by("-number").first()
    draft = save_draft(
        names=names,
        descriptions={"en": rule.description_en or "", "zh-hans": rule.description_zh_hans or ""},
        trigger=rule.trigger,
        unit=rule.unit,
        definition=version.definition if version else {},
        budget=rule.budget,
        budget_money=rule.budget_money,
        at=at,
        actor_id=actor_id,
    )
    return draft.rule
