"""Traits of a member's profile: what stands in members_member, and the custom attributes."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from borax.calendars.lunardate import LunarDate
from django.utils.dates import MONTHS
from django.utils.translation import get_language, gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from psycopg.sql import SQL, Composable, Identifier

from members.enums import AttributeKind, Language
from members.models import Attribute
from members.queries import BIRTHDAY_JOIN, birthday_patterns
from members.segments.compile import Query
from members.segments.kinds import Choice, Day, Flag, Kind, Moment, Number, Operator, Text
from members.segments.traits import Group, Trait, register, register_family
from members.segments.tree import Leaf


def column(name: str):
    """The datum that stands in a column of members_member; an empty text is none."""
    return lambda query, leaf: SQL("m.{}").format(Identifier(name))


def filled(name: str):
    """The text of a column of members_member, NULL where it is empty."""
    return lambda query, leaf: SQL("nullif(m.{}, '')").format(Identifier(name))


def is_set(expression: str):
    """A yes or no that is an SQL expression over m."""
    return lambda query, leaf: SQL(expression)  # type: ignore[arg-type]


def profile(name: str, label: Any, kind: Kind, datum: Any, clause: Any, no: Any = "", **more: Any) -> Trait:
    return Trait(name, label, Group.PROFILE, kind, datum, clause, {"no": no} if no else {}, **more)


def _born(query: Query, leaf: Leaf) -> Composable:
    """Whole years since the birth year, each calendar by its own today."""
    today = query.today
    lunar = LunarDate.from_solar(today)
    solar_now, lunar_now = (
        SQL("{} - m.birthday_year - ((m.birthday_month, m.birthday_day) > ({}, {}))::int").format(
            *(query.param(part) for part in now)
        )
        for now in ((today.year, today.month, today.day), (lunar.year, lunar.month, lunar.day))
    )
    return SQL("CASE WHEN m.birthday_calendar = 'lunar' THEN {} ELSE {} END").format(lunar_now, solar_now)


def _birthdays(query: Query, key: Any, days: list) -> Composable:
    """The next of `days` on which a member's birthday is kept."""
    names = {name: query.param(values).as_string() for name, values in birthday_patterns(days)._asdict().items()}

    def rows() -> Composable:
        return SQL(
            "SELECT member.id AS member_id, min(birthday.day) AS day FROM {} WHERE {} GROUP BY member.id"
        ).format(
            SQL(BIRTHDAY_JOIN % names),  # type: ignore[arg-type]
            query.scope(SQL("member.id")),
        )

    return SQL("{}.day").format(query.relation(("birthdays", key), rows))


def _birthday_ahead(query: Query, leaf: Leaf) -> Composable:
    days = min(leaf.within.days or 0, 366) if leaf.within else 0
    return _birthdays(query, days, [query.today + timedelta(days=n) for n in range(days + 1)])


def _birthday_month(query: Query, leaf: Leaf) -> Composable:
    """A day in any of the months that the leaf asks for, of this year; "next" may be of the next."""
    today = query.today
    months = set()
    for value in leaf.value or ():
        if value == "this":
            months.add((today.year, today.month))
        elif value == "next":
            months.add((today.year + today.month // 12, today.month % 12 + 1))
        else:
            months.add((today.year, int(value)))
    days = []
    for year, month in sorted(months):
        day = today.replace(year=year, month=month, day=1)
        while day.month == month:
            days.append(day)
            day += timedelta(days=1)
    return _birthdays(query, tuple(sorted(months)), days)


def _months() -> dict[str, str]:
    return {"this": gettext("this month"), "next": gettext("next month"), **{str(n): str(MONTHS[n]) for n in MONTHS}}


class _Found(Choice):
    """A choice that the datum has answered already: there is one where any of the values fits."""

    def test(self, datum: Composable, operator: Operator, value: Any, query: Query) -> Composable:
        return SQL("{} IS NOT NULL" if operator.name == "any_of" else "{} IS NULL").format(datum)


register(
    profile(
        "name",
        pgettext_lazy("person", "name"),
        Text(nullable=True),
        filled("name"),
        _("whose name is %(test)s"),
        found=_("name: %(value)s"),
    ),
    profile("city", _("city"), Text(nullable=True), filled("city"), _("whose city is %(test)s")),
    profile(
        "postal_code", _("postal code"), Text(nullable=True), filled("postal_code"), _("whose postal code is %(test)s")
    ),
    profile("country", _("country"), Text(nullable=True), filled("country"), _("whose country is %(test)s")),
    profile("source", _("came by"), Text(nullable=True), filled("source"), _("whose way to us is %(test)s")),
    profile("time_zone", _("time zone"), Text(), column("time_zone"), _("whose time zone is %(test)s")),
    profile(
        "language",
        _("language"),
        Choice(),
        column("language"),
        _("whose language is %(test)s"),
        choices=lambda: dict(Language.choices),
    ),
    profile(
        "has_email",
        _("has an e-mail address"),
        Flag(),
        is_set("m.email <> ''"),
        _("who have an e-mail address"),
        _("who have no e-mail address"),
    ),
    profile(
        "has_phone",
        _("has a phone number"),
        Flag(),
        is_set("m.phone <> ''"),
        _("who have a phone number"),
        _("who have no phone number"),
    ),
    profile(
        "email_verified",
        _("e-mail address verified"),
        Flag(),
        is_set("m.email_verified_at IS NOT NULL"),
        _("whose e-mail address is verified"),
        _("whose e-mail address is not verified"),
    ),
    profile(
        "phone_verified",
        _("phone number verified"),
        Flag(),
        is_set("m.phone_verified_at IS NOT NULL"),
        _("whose phone number is verified"),
        _("whose phone number is not verified"),
    ),
    profile(
        "has_account",
        _("has a portal account"),
        Flag(),
        is_set("m.user_id IS NOT NULL"),
        _("who have a portal account"),
        _("who have no portal account"),
    ),
    profile(
        "in_household",
        _("belongs to a household"),
        Flag(),
        is_set("m.household_id IS NOT NULL"),
        _("who belong to a household"),
        _("who belong to no household"),
    ),
    profile(
        "joined",
        _("day of joining"),
        Moment(),
        column("joined_at"),
        _("who joined %(test)s"),
        found=_("joined on %(value)s"),
    ),
    profile(
        "changed", _("profile last changed"), Moment(), column("updated_at"), _("whose profile changed last %(test)s")
    ),
    profile(
        "age",
        _("age"),
        Number(least=0, most=150, nullable=True),
        _born,
        _("whose age is %(test)s"),
        found=_("aged %(value)s"),
        nothing=_("birth year not known"),
        timed=True,
    ),
    profile(
        "birthday.ahead",
        _("birthday soon"),
        Flag(),
        lambda query, leaf: SQL("({} IS NOT NULL)").format(_birthday_ahead(query, leaf)),
        _("who have a birthday %(window)s"),
        _("who have no birthday %(window)s"),
        shown=_birthday_ahead,
        shown_kind=Day(),
        found=_("birthday on %(value)s"),
        nothing=_("no birthday in these days"),
        window="next",
        needs_window=True,
        timed=True,
    ),
    profile(
        "birthday.month",
        _("month of the birthday"),
        _Found(),
        _birthday_month,
        _("whose birthday is in %(test)s"),
        shown_kind=Day(),
        found=_("birthday on %(value)s"),
        nothing=_("no birthday in these months"),
        choices=_months,
        timed=True,
    ),
    profile(
        "birthday.known",
        _("birthday known"),
        Flag(),
        is_set("m.birthday_month IS NOT NULL"),
        _("whose birthday is known"),
        _("whose birthday is not known"),
    ),
)


def _attribute(attribute: Attribute) -> Trait:
    """The trait of a custom attribute. Days are compared as the text they are: no value can make the query fail."""
    kind, field = attribute.kind, "m.attributes ->> {}"
    choices = None
    value_kind: Kind
    match kind:
        case AttributeKind.NUMBER:
            value_kind = Number(whole=False, least=-(10**12), nullable=True)
            field = "CASE WHEN jsonb_typeof(m.attributes -> {0}) = 'number' THEN (m.attributes ->> {0})::numeric END"
        case AttributeKind.DATE:
            value_kind, field = Day(nullable=True), '(m.attributes ->> {}) COLLATE "C"'
        case AttributeKind.BOOLEAN:
            value_kind, field = Flag(nullable=True), "m.attributes -> {} = 'true'::jsonb"
        case AttributeKind.CHOICE:
            value_kind = Choice(nullable=True)
            language = get_language() or "en"
            labels = {str(each["key"]): str(each.get(language) or each.get("en")) for each in attribute.options}
            choices = lambda: labels  # noqa: E731
        case _:
            value_kind = Text(nullable=True)
    words = {"label": attribute.label.replace("%", "%%")}
    return Trait(
        f"attribute.{attribute.key}",
        attribute.label,
        Group.ATTRIBUTES,
        value_kind,
        lambda query, leaf: SQL("({})").format(SQL(field).format(query.param(attribute.key))),  # type: ignore[arg-type]
        gettext("whose “%(label)s” is %%(test)s") % words,
        {
            "yes": gettext("whose “%(label)s” is yes") % words,
            "no": gettext("whose “%(label)s” is not yes") % words,
        },
        choices=choices,
        gone=gettext("The attribute “%(label)s” was archived.") % words if attribute.archived_at else "",
    )


def _attributes() -> Iterable[Trait]:
    return [_attribute(attribute) for attribute in Attribute.objects.all()]


register_family("attribute.", _attributes)
