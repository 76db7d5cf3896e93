"""What a page of figures needs, counted at one moment into plain data that JSON holds, and read back from it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from analytics import points, queries
from analytics.lifecycle import Lives, lives
from analytics.periods import STEPS, Period
from analytics.quality import count_faults
from analytics.queries import Figure, PointFlows
from analytics.queries_rfm import grid, pareto
from analytics.voices import Voices, voices
from members.models import PRESENT, Member
from members.queries import get_programme
from rewards.enums import Unit

__all__ = [
    "STEPS",
    "Customers",
    "HeldFigures",
    "PaperFigures",
    "PointFigures",
    "customers",
    "held",
    "paper",
    "quality",
    "rewards",
    "rfm",
]


@dataclass(frozen=True)
class PaperFigures:
    """The figures of the dashboard. `answers`: messages of the period that were opened and clicked by people.
    `stores`: purchases now and before, by store."""

    comparable: bool
    joined: Figure
    members: Figure
    active: Figure
    revenue: dict[str, Figure]
    flows: PointFlows
    outstanding: Figure
    expiring: int
    messages: Figure
    answers: dict[str, int] | None
    stores: dict[str, tuple[int, int]]
    voices: Voices | None = None

    @classmethod
    def count(cls, period: Period) -> "PaperFigures":
        joined = queries.joined(period)
        before, *steps = queries.active_members([period.before_end, *period.step_ends])
        flows = queries.point_flows(period)
        return cls(
            comparable=comparable(period),
            joined=joined,
            members=queries.member_count(period, joined),
            active=Figure(steps[-1], before, steps),
            revenue=dict(queries.revenue(period)),
            flows=flows,
            outstanding=queries.outstanding(period, flows),
            expiring=queries.expiring(period.at),
            messages=queries.messages_sent(period),
            answers=queries.messages_answered(period),
            stores=queries.purchases_by_store(period),
            voices=voices(period),
        )

    @classmethod
    def read(cls, data: dict[str, Any]) -> "PaperFigures":
        plain = {name: data[name] for name in ("comparable", "expiring", "stores")}
        names = ("joined", "members", "active", "outstanding", "messages")
        told: dict[str, Any] = {**plain, **{name: Figure(**data[name]) for name in names}}
        revenue = {currency: Figure(**figure) for currency, figure in data["revenue"].items()}
        flows = PointFlows(**{name: Figure(**figure) for name, figure in data["flows"].items()})
        # Figures that were kept before this was counted do without.
        said = Voices(**data["voices"]) if data.get("voices") else None
        return cls(**told, revenue=revenue, flows=flows, answers=data.get("answers"), voices=said)


@dataclass(frozen=True)
class Customers:
    """Where the customers stand, and where the new members of the period came from."""

    comparable: bool
    buyers: int
    joined: Figure
    lives: Lives
    sources: dict[str, Figure]

    @classmethod
    def count(cls, period: Period) -> "Customers":
        stand = lives(period)
        buyers = stand.new.now + stand.active.now + stand.lapsing.now + stand.lost.now
        return cls(comparable(period), buyers, queries.joined(period), stand, queries.joined_by_source(period))

    @classmethod
    def read(cls, data: dict[str, Any]) -> "Customers":
        return cls(
            data["comparable"],
            data["buyers"],
            Figure(**data["joined"]),
            Lives(**{name: Figure(**figure) for name, figure in data["lives"].items()}),
            {source: Figure(**figure) for source, figure in data["sources"].items()},
        )


@dataclass(frozen=True)
class PointFigures:
    """What came and went in a period, by unit ("points", "credit"), and what it was given for."""

    comparable: bool
    members: int
    flows: dict[str, PointFlows]
    outstanding: dict[str, Figure]
    rules: list[points.Given]
    rewards: list[points.Taken]
    offers: list[points.Used]

    @classmethod
    def count(cls, period: Period) -> "PointFigures":
        flows = {unit.value: queries.point_flows(period, unit) for unit in Unit}
        return cls(
            comparable=comparable(period),
            members=Member.objects.filter(PRESENT).count(),
            flows=flows,
            outstanding={unit.value: queries.outstanding(period, flows[unit.value], unit) for unit in Unit},
            rules=points.by_rule(period),
            rewards=points.by_reward(period),
            offers=points.by_offer(period, get_programme().currency),
        )

    def data(self) -> dict[str, Any]:
        return {
            "comparable": self.comparable,
            "members": self.members,
            "flows": {unit: asdict(flows) for unit, flows in self.flows.items()},
            "outstanding": {unit: asdict(figure) for unit, figure in self.outstanding.items()},
            "rules": points.plain(self.rules),
            "rewards": points.plain(self.rewards),
            "offers": points.plain(self.offers),
        }

    @classmethod
    def read(cls, data: dict[str, Any]) -> "PointFigures":
        flows = {
            unit: PointFlows(**{name: Figure(**figure) for name, figure in kept.items()})
            for unit, kept in data["flows"].items()
        }
        return cls(
            data["comparable"],
            data["members"],
            flows,
            {unit: Figure(**figure) for unit, figure in data["outstanding"].items()},
            [points.Given(*row) for row in data["rules"]],
            [points.Taken(*row) for row in data["rewards"]],
            [points.Used(*row) for row in data["offers"]],
        )


@dataclass(frozen=True)
class HeldFigures:
    """What members hold of a unit, and what became of what was issued, by month of issue and of joining."""

    held: points.Held
    by_issue: list[points.Cohort]
    by_joining: list[points.Cohort]

    @classmethod
    def read(cls, data: dict[str, Any], unit: Unit) -> "HeldFigures":
        kept = data[unit.value]
        spendable, pending, reserved, unswept, owed, expiring, *cards = kept["held"]  # kept before there were any
        return cls(
            points.Held(spendable, pending, reserved, unswept, owed, tuple(expiring), *cards),
            [points.Cohort(*row) for row in kept["by_issue"]],
            [points.Cohort(*row) for row in kept["by_joining"]],
        )


def comparable(period: Period) -> bool:
    """Whether the programme is as old as the stretch that a period is compared with."""
    began = queries.beginning()
    return began is not None and began <= period.before_start


def paper(days: int) -> Callable[[datetime, ZoneInfo], dict[str, Any]]:
    """Counts the dashboard of a period of so many days."""
    return lambda at, zone: asdict(PaperFigures.count(Period(days, at, zone)))


def customers(days: int) -> Callable[[datetime, ZoneInfo], dict[str, Any]]:
    """Counts the page of customers over a period of so many days."""
    return lambda at, zone: asdict(Customers.count(Period(days, at, zone)))


def rewards(days: int) -> Callable[[datetime, ZoneInfo], dict[str, Any]]:
    """Counts what came and went over a period of so many days, and what it was given for."""
    return lambda at, zone: PointFigures.count(Period(days, at, zone)).data()


def held(at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Counts what members hold, and what became of all that was ever issued."""
    return {
        unit.value: {
            "held": points.plain([points.held(unit, at)])[0],
            "by_issue": points.plain(points.by_issue(unit, str(zone))),
            "by_joining": points.plain(points.by_joining(unit, str(zone))),
        }
        for unit in Unit
    }


def quality(at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Counts the members and their faults."""
    members, faults = count_faults(at)
    return {"members": members, "faults": faults}


def rfm(at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Counts the map of groups, and who brings how much."""
    impersonal = Member.objects.filter(PRESENT, personalised=False).count()
    return {"cells": grid(), "pareto": pareto(), "impersonal": impersonal}
