"""Traits of what hangs on members: tags, lists, segments, draws by lot, notes and tasks, and what they agreed to."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _
from psycopg.sql import SQL, Composable, Identifier

from members.enums import MARKETING, Channel, Purpose
from members.models import Identity, MemberList, Segment, Tag
from members.segments.compile import Query
from members.segments.kinds import Flag, Number, Operator, Several
from members.segments.traits import Filter, Group, Trait, register
from members.segments.tree import Leaf
from members.segments.values import clean_number, number_words


def among(table: str, column: str, cast: str = "bigint") -> Callable[[Query, Leaf], Composable]:
    """The datum of Several: which of the values asked for stand beside the member in a table, where each stands once.

    One value is a plain join, which the planner can turn into an inner or an anti join; several are gathered.
    """

    def datum(query: Query, leaf: Leaf) -> Composable:
        name, values = Identifier(column), leaf.value
        if len(values) == 1:
            alias = query.one(
                table,
                key=values,
                only=lambda alias: SQL("{}.{} = {}").format(alias, name, query.param(values[0])),
            )
            return SQL("{}.{}").format(alias, name)

        def rows() -> Composable:
            return SQL("{} AS held WHERE held.{} = ANY({}::{}) AND {}").format(
                Identifier(table),
                name,
                query.param(list(values)),
                SQL(cast + "[]"),  # type: ignore[arg-type]
                query.scope(SQL("held.member_id")),
            )

        held = query.grouped((table, frozenset(values)), member=SQL("held.member_id"), rows=rows)
        return held.column(SQL("array_agg(DISTINCT held.{})").format(name))

    return datum


class Consented(Flag):
    """What a member said when asked. NULL: never asked, which means no."""

    name = "consent"
    own = {
        operator.name: operator
        for operator in (
            Operator("yes", _("agreed"), "none"),
            Operator("not_yes", _("has not agreed (refused, or never asked)"), "none"),
            Operator("no", _("refused"), "none"),
            Operator("never", _("was never asked"), "none"),
        )
    }

    def test(self, datum: Composable, operator: Operator, value: Any, query: Query) -> Composable:
        match operator.name:
            case "yes":
                return datum
            case "not_yes":
                return SQL("({}) IS NOT TRUE").format(datum)
            case "no":
                return SQL("NOT ({})").format(datum)
            case _:
                return SQL("({}) IS NULL").format(datum)

    def told(self, datum: Any, known: dict[Any, str], currency: str) -> str:
        return gettext("agreed") if datum else gettext("refused")


def _consent(purpose: Purpose, channel: Channel | None) -> Trait:
    """The trait of one purpose, by one channel where it has any."""
    said = channel.value if channel else ""

    def datum(query: Query, leaf: Leaf) -> Composable:
        alias = query.one(
            "members_consentstate",
            key=(purpose.value, said),
            only=lambda alias: SQL("{0}.channel = {1} AND {0}.purpose = {2}").format(
                alias, query.param(said), query.param(purpose.value)
            ),
        )
        return SQL("{}.granted").format(alias)

    label, yes, not_yes, no, never = _SAID[purpose, said]
    return Trait(
        f"consent.{purpose.value}_{said}" if said else f"consent.{purpose.value}",
        label,
        Group.CONSENT,
        Consented(),
        datum,
        yes,
        {"not_yes": not_yes, "no": no, "never": never},
        nothing=_("never asked"),
    )


_SAID = {
    (Purpose.OFFERS, "email"): (
        _("offers by e-mail"),
        _("who agreed to offers by e-mail"),
        _("who have not agreed to offers by e-mail"),
        _("who refused offers by e-mail"),
        _("who were never asked about offers by e-mail"),
    ),
    (Purpose.OFFERS, "sms"): (
        _("offers by text message"),
        _("who agreed to offers by text message"),
        _("who have not agreed to offers by text message"),
        _("who refused offers by text message"),
        _("who were never asked about offers by text message"),
    ),
    (Purpose.GREETINGS, "email"): (
        _("greetings by e-mail"),
        _("who agreed to greetings by e-mail"),
        _("who have not agreed to greetings by e-mail"),
        _("who refused greetings by e-mail"),
        _("who were never asked about greetings by e-mail"),
    ),
    (Purpose.GREETINGS, "sms"): (
        _("greetings by text message"),
        _("who agreed to greetings by text message"),
        _("who have not agreed to greetings by text message"),
        _("who refused greetings by text message"),
        _("who were never asked about greetings by text message"),
    ),
    (Purpose.OFFERS, "webhook"): (
        _("offers in an app"),
        _("who agreed to offers in WeChat or another app"),
        _("who have not agreed to offers in WeChat or another app"),
        _("who refused offers in WeChat or another app"),
        _("who were never asked about offers in WeChat or another app"),
    ),
    (Purpose.GREETINGS, "webhook"): (
        _("greetings in an app"),
        _("who agreed to greetings in WeChat or another app"),
        _("who have not agreed to greetings in WeChat or another app"),
        _("who refused greetings in WeChat or another app"),
        _("who were never asked about greetings in WeChat or another app"),
    ),
    (Purpose.PROFILING, ""): (
        _("personalised treatment"),
        _("who agreed to personalised treatment"),
        _("who have not agreed to personalised treatment"),
        _("who refused personalised treatment"),
        _("who were never asked about personalised treatment"),
    ),
    (Purpose.SHARING, ""): (
        _("passing data on to others"),
        _("who agreed to their data being passed on"),
        _("who have not agreed to their data being passed on"),
        _("who refused to have their data passed on"),
        _("who were never asked about their data being passed on"),
    ),
}


class Drawn(Number):
    """A share of all members, drawn by lot: from 0 to 100 percent, the end not included."""

    name = "draw"
    own = {"between": Operator("between", _("from … to … percent"), "numbers", _("%(value)s percent"))}

    def test(self, datum: Composable, operator: Operator, value: Any, query: Query) -> Composable:
        low, high = (query.param(int(clean_number(bound) * 100)) for bound in value)
        return SQL("({0} >= {1} AND {0} < {2})").format(datum, low, high)

    def passes(self, missing: Any, operator: Operator, value: Any) -> bool:
        return False

    def said(self, value: Any, known: dict[Any, str], currency: str) -> str:
        if isinstance(value, tuple):
            return gettext("%(low)s to %(high)s") % {"low": number_words(value[0]), "high": number_words(value[1])}
        return super().said(value, known, currency)


def _lot(query: Query, leaf: Leaf) -> Composable:
    """A number from 0 to 9,999 that a member keeps for ever in a draw: the first 32 bits of MD5("draw:id"), mod 10,000.

    By MD5 and not by a hash of the database, so that it can be worked out anywhere and survives every upgrade.
    """
    draw = ",".join(leaf.where.get("draw", ()))
    return SQL("(('x' || left(md5({} || m.id), 8))::bit(32)::bigint %% 10000)").format(query.param(f"{draw}:"))


def _lot_percent(query: Query, leaf: Leaf) -> Composable:
    return SQL("{} / 100.0").format(_lot(query, leaf))


def _suspected(query: Query, leaf: Leaf) -> Composable:
    def rows() -> Composable:
        sides = [
            SQL("SELECT {0} AS member_id FROM members_duplicate WHERE state = 'open' AND {1}").format(
                SQL(side), query.scope(SQL(side))
            )
            for side in ("first_id", "second_id")
        ]
        return SQL(" UNION ").join(sides)

    return SQL("({}.member_id IS NOT NULL)").format(query.relation("duplicates", rows))


def _pinned(table: str, condition: str) -> Callable[[Query, Leaf], Composable]:
    """How many rows of a table stand beside the member."""

    def datum(query: Query, leaf: Leaf) -> Composable:
        def rows() -> Composable:
            return SQL("{} AS held WHERE {} AND {}").format(
                Identifier(table),
                SQL(condition),  # type: ignore[arg-type]
                query.scope(SQL("held.member_id")),
            )

        return query.grouped((table, condition), member=SQL("held.member_id"), rows=rows).column(SQL("count(*)"))

    return datum


def _overdue_tasks(query: Query, leaf: Leaf) -> Composable:
    def rows() -> Composable:
        return SQL("members_task AS held WHERE held.done_at IS NULL AND held.due_on < {} AND {}").format(
            query.param(query.today), query.scope(SQL("held.member_id"))
        )

    return query.grouped("overdue tasks", member=SQL("held.member_id"), rows=rows).column(SQL("count(*)"))


def _named(model: Any) -> Callable[[], dict[int, str]]:
    return lambda: {row.pk: row.name for row in model.objects.order_by("name")}


def _live_segments() -> dict[int, str]:
    return {row.pk: row.name for row in Segment.objects.filter(archived_at=None).order_by("name")}


def _systems() -> dict[str, str]:
    return {name: name for name in Identity.objects.values_list("system", flat=True).distinct().order_by("system")}


register(
    *(_consent(purpose, channel) for purpose in MARKETING for channel in Channel),
    *(_consent(purpose, None) for purpose in Purpose if purpose not in MARKETING),
    Trait(
        "personalised",
        _("wants personalised treatment"),
        Group.CONSENT,
        Flag(),
        lambda query, leaf: SQL("m.personalised"),
        _("who may be treated personally"),
        {"no": _("who want no personalised treatment")},
    ),
    Trait(
        "tag",
        _("tag"),
        Group.GROUPS,
        Several(),
        among("members_membertag", "tag_id"),
        _("who carry the tag %(test)s"),
        {"none_of": _("who do not carry the tag %(test)s")},
        found=_("carries %(value)s"),
        nothing=_("none of these tags"),
        choices=_named(Tag),
    ),
    Trait(
        "segment",
        _("segment"),
        Group.GROUPS,
        Several(),
        among("members_segmentmember", "segment_id"),
        _("who are in the segment %(test)s"),
        {"none_of": _("who are not in the segment %(test)s")},
        found=_("is in %(value)s"),
        nothing=_("in none of these segments"),
        choices=_live_segments,
    ),
    Trait(
        "list",
        _("list"),
        Group.GROUPS,
        Several(),
        among("members_memberlistentry", "list_id"),
        _("who are on the list %(test)s"),
        {"none_of": _("who are not on the list %(test)s")},
        found=_("is on %(value)s"),
        nothing=_("on none of these lists"),
        choices=_named(MemberList),
    ),
    Trait(
        "draw",
        _("drawn by lot"),
        Group.GROUPS,
        Drawn(whole=False, most=100),
        _lot,
        _("who are drawn by lot%(where)s (%(test)s)"),
        shown=_lot_percent,
        shown_kind=Number(whole=False),
        found=_("drew number %(value)s of 100"),
        filters=(Filter("draw", _("draw"), _("in the draw %(values)s"), single=True),),
    ),
    Trait(
        "identity",
        _("known to another system"),
        Group.PROFILE,
        Several(),
        among("members_identity", "system", "text"),
        _("who are known to the system %(test)s"),
        {"none_of": _("who are not known to the system %(test)s")},
        found=_("known to %(value)s"),
        nothing=_("known to none of these"),
        choices=_systems,
    ),
    Trait(
        "notes",
        _("number of notes"),
        Group.PROFILE,
        Number(),
        _pinned("members_note", "TRUE"),
        ngettext_lazy("who have %(test)s note", "who have %(test)s notes", "count"),
        found=ngettext_lazy("%(value)s note", "%(value)s notes", "count"),
        missing=0,
    ),
    Trait(
        "tasks.open",
        _("open tasks"),
        Group.PROFILE,
        Number(),
        _pinned("members_task", "held.done_at IS NULL"),
        ngettext_lazy("who have %(test)s open task", "who have %(test)s open tasks", "count"),
        found=ngettext_lazy("%(value)s open task", "%(value)s open tasks", "count"),
        missing=0,
    ),
    Trait(
        "tasks.overdue",
        _("overdue tasks"),
        Group.PROFILE,
        Number(),
        _overdue_tasks,
        ngettext_lazy("who have %(test)s overdue task", "who have %(test)s overdue tasks", "count"),
        found=ngettext_lazy("%(value)s overdue task", "%(value)s overdue tasks", "count"),
        missing=0,
        timed=True,
    ),
    Trait(
        "duplicate_suspected",
        _("likely duplicate"),
        Group.PROFILE,
        Flag(),
        _suspected,
        _("who may be known twice"),
        {"no": _("who are not thought to be known twice")},
    ),
)
