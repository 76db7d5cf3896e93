"""The shapes of cases."""

from typing import Literal

from django.utils.translation import gettext_noop
from pydantic import Field

from api.schemas import In, Key, MemberRef, Out, When

Kind = Literal["complaint", "suggestion", "question", "praise"]
State = Literal["new", "open", "waiting", "resolved", "closed", "merged"]


class NewCase(In):
    key: Key
    kind: Kind
    text: str = Field(
        min_length=1,
        max_length=10_000,
        description=gettext_noop("What they said, in their words."),
        examples=["The coffee was cold."],
    )
    subject: str = Field("", max_length=200, description=gettext_noop("Empty: the first line of the text."))
    severity: Literal["low", "normal", "high", "urgent"] = "normal"
    channel: Literal["portal", "email", "phone", "person"] = Field(
        "portal", description=gettext_noop("How they said it; “portal” is an app or a page, too.")
    )
    member: MemberRef | None = Field(
        None, description=gettext_noop("Who said it: a card number, email:…, phone:… or key:…; else leave it out.")
    )
    email: str = Field(
        "",
        max_length=254,
        description=gettext_noop("Where somebody who is no member is answered; a member's leads to the member."),
        examples=["guest@example.com"],
    )
    purchase: str = Field(
        "", max_length=120, description=gettext_noop("What it is about: the key of a purchase of your system.")
    )
    store: str = Field("", max_length=80, description=gettext_noop("Empty: that of the purchase."))


class Case(Out):
    number: str = Field(examples=["C-12"])
    kind: Kind
    severity: str
    state: State
    subject: str
    card: str | None
    store: str
    opened_at: When
    answered_at: When | None
    resolved_at: When | None
    closed_at: When | None
    merged_into: str | None = Field(examples=[None])


class CaseOpened(Out):
    key: str
    number: str = Field(examples=["C-12"])
    state: State
    answer_due_at: When
    resolve_due_at: When


class CaseMessage(Out):
    by: Literal["member", "shop"]
    text: str
    at: When


class WholeCase(Case):
    messages: list[CaseMessage]


class Cases(Out):
    cases: list[Case]
    next: str | None = Field(examples=[None])
