"""Traits for segments: the messages that a member got, or did not (members.segments.traits)."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from psycopg.sql import SQL, Composable

from campaigns.enums import CampaignKind, Medium, MessageState
from members.segments.compile import Grouped, Query
from members.segments.kinds import Moment, Number
from members.segments.traits import Filter, Group, Trait, register
from members.segments.tree import Leaf

_CAMPAIGN = Filter(
    "campaign", _("campaign"), _("of the campaign %(values)s"), choices=lambda: dict(CampaignKind.choices)
)
_STATE = Filter("state", _("state"), _("in the state %(values)s"), choices=lambda: dict(MessageState.choices))
_CHANNEL = Filter("channel", _("channel"), _("by %(values)s"), choices=lambda: dict(Medium.choices))

_WHERE = {
    "campaign": "message.campaign_id = ANY(ARRAY(SELECT id FROM campaigns_campaign WHERE kind = ANY({}::text[])))",
    "state": "message.state = ANY({}::text[])",
    "channel": "message.channel = ANY({}::text[])",
}


def _messages(query: Query, leaf: Leaf, moment: str) -> Grouped:
    """A member's messages by the leaf's filters; `moment` is the column that lies in its window."""

    def rows() -> Composable:
        at = SQL("message.{}").format(SQL(moment))  # type: ignore[arg-type]
        conditions = [query.within(leaf, at), query.scope(SQL("message.member_id"))]
        for name, values in sorted(leaf.where.items()):
            conditions.append(SQL(_WHERE[name]).format(query.param(list(values))))  # type: ignore[arg-type]
        return SQL("campaigns_message AS message WHERE {}").format(SQL(" AND ").join(conditions))

    key = ("messages", moment, tuple(sorted(leaf.where.items())), leaf.within)
    return query.grouped(key, member=SQL("message.member_id"), rows=rows)


register(
    Trait(
        "message.count",
        _("number of messages"),
        Group.MESSAGES,
        Number(),
        lambda query, leaf: _messages(query, leaf, "due_at").column(SQL("count(*)")),
        ngettext_lazy("with %(test)s message%(where)s%(window)s", "with %(test)s messages%(where)s%(window)s", "count"),
        found=ngettext_lazy("%(value)s message", "%(value)s messages", "count"),
        missing=0,
        filters=(_CAMPAIGN, _STATE, _CHANNEL),
        window="past",
        profiling=True,
    ),
    Trait(
        "message.last_sent",
        _("last message"),
        Group.MESSAGES,
        Moment(nullable=True),
        lambda query, leaf: _messages(query, leaf, "sent_at").column(SQL("max(message.sent_at)")),
        _("who were last written to %(test)s"),
        found=_("last written to on %(value)s"),
        nothing=_("never written to"),
        filters=(_CAMPAIGN, _CHANNEL),
        profiling=True,
    ),
)
