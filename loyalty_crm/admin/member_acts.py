"""What staff do for members: adjusting points, writing down what they said about being written to, tagging many."""

from datetime import datetime
from functools import cached_property
from statistics import median
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import Form
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from common.admin import ConfirmView, found_or_404, rehearse
from common.moments import end_of_day
from loyalty_crm.admin.member_forms import AdjustPointsForm, ConsentForm, TagForm
from members.enums import Channel, Purpose
from members.models import PRESENT, ConsentWording, Member, Tag
from members.queries import get_programme
from members.services.consent import NoPhone, state_consent
from members.services.purchases import KeyReused
from members.services.tags import add_tag, remove_tag
from rewards import queries as rewards
from rewards.enums import Unit
from rewards.models import GrantRequest, Transfer
from rewards.queries import amount_text, points_text
from rewards.queries_grants import waits_text
from rewards.services.adjustments import CORRECTION, adjust_points
from rewards.services.grants import NOTE, TooLate, grant_points
from rewards.services.ledger import InsufficientPoints

A_LOT, FAR_MORE = 10_000, 10  # points, or minor units; times what usually moves
LOOKED_BACK, ENOUGH = 50, 5  # movements


class MemberAct(ConfirmView):
    @cached_property
    def member(self) -> Member:
        return found_or_404(Member.objects.filter(PRESENT), self.kwargs["object_id"])

    def get_object(self) -> Member:
        return self.member

    def get_success_url(self) -> str:
        return reverse("admin:members_member_change", args=[self.member.pk])


class AdjustPointsView(MemberAct):
    title = _("Adjust points or credit")
    form_class = AdjustPointsForm
    permission_required = "rewards.add_transfer"
    act_label = _("Adjust")

    @property
    def intro(self) -> str:
        words = {"name": self.member, "points": points_text(self._has(Unit.POINTS))}
        if credit := self._has(Unit.CREDIT):
            words["credit"] = amount_text(credit, Unit.CREDIT)
            return gettext("%(name)s has %(points)s and %(credit)s of store credit.") % words
        return gettext("%(name)s has %(points)s.") % words

    def _has(self, unit: Unit) -> int:
        return rewards.balance(self.member.pk, unit=unit)

    def _adjust(self, form: Form) -> tuple[int, Transfer | GrantRequest]:
        """Gives or takes, or lets a gift wait; the balance after it, and the transfer or what waits."""
        data = form.cleaned_data
        told = {
            "member_id": self.member.pk,
            "reason": data["reason"],
            "key": str(data["key"]),
            "at": self.at,
            "actor_id": self.request.user.pk,
            "unit": data["unit"],
        }
        try:
            if data["amount"] > 0:
                done = grant_points(amount=data["amount"], note=data["note"], expires_at=self._end(form), **told)
            else:
                done = adjust_points(amount=data["amount"], note=data["note"] or CORRECTION, **told)
        except InsufficientPoints as error:
            text = ngettext("There is only %(points)s to take.", "There are only %(points)s to take.", error.available)
            raise ValidationError({"amount": text % {"points": amount_text(error.available, data["unit"])}}) from error
        except TooLate as error:
            raise ValidationError({"expires_on": gettext("Please choose a day that is still to come.")}) from error
        except KeyReused as error:
            raise ValidationError(gettext("This form was used already. Please open it anew.")) from error
        return self._has(data["unit"]), done

    def _end(self, form: Form) -> datetime | None:
        return end_of_day(form.cleaned_data["expires_on"], get_programme().time_zone)

    def preview(self, form: Form) -> list[str]:
        data, unit = form.cleaned_data, form.cleaned_data["unit"]
        before = self._has(unit)
        after, done = rehearse(lambda: self._adjust(form))
        note = data["note"] or gettext(NOTE if data["amount"] > 0 else CORRECTION)
        told = gettext("The member will read: “%(note)s”.") % {"note": note}
        if isinstance(done, GrantRequest):
            return [waits_text(done.why), gettext("So this waits until another person agrees."), told]
        words = {"name": self.member, "before": amount_text(before, unit), "after": amount_text(after, unit)}
        sentences = [gettext("%(name)s has %(before)s now and %(after)s after this.") % words, told]
        if data["amount"] > 0 and data["expires_on"]:
            words = {"day": date_format(data["expires_on"], "DATE_FORMAT")}
            sentences.append(gettext("It can be spent until %(day)s.") % words)
        elif data["amount"] > 0:
            sentences.append(gettext("It never expires."))
        return sentences

    def warnings(self, form: Form) -> list[str]:
        """Said where the amount is far beyond what moves here, as when a zero too many was typed."""
        amount, unit = abs(form.cleaned_data["amount"]), form.cleaned_data["unit"]
        rows = rewards.history(self.member.pk, unit)[:LOOKED_BACK]
        moved = [abs(row.change) for row in rows]  # type: ignore[attr-defined]
        usual = round(median(moved)) if len(moved) >= ENOUGH else None
        if usual and amount > FAR_MORE * usual:
            words = {"points": amount_text(amount, unit), "usual": amount_text(usual, unit)}
            return [gettext("%(points)s: much more than usually moves here, about %(usual)s at once.") % words]
        if amount > A_LOT:
            words = {"points": amount_text(amount, unit)}
            return [gettext("%(points)s: that is a lot. Please count the zeros.") % words]
        return []

    def act(self, form: Form) -> str:
        after, done = self._adjust(form)
        if isinstance(done, GrantRequest):
            return gettext("It waits for another person now.")
        words = {"name": self.member, "after": amount_text(after, form.cleaned_data["unit"])}
        return gettext("%(name)s now has %(after)s.") % words


class StateConsentView(MemberAct):
    title = _("What the member agrees to")
    form_class = ConsentForm
    permission_required = "members.change_member"
    act_label = _("Write it down")

    def get_initial(self) -> dict[str, Any]:
        return {"channel": Channel.EMAIL, "purpose": Purpose.OFFERS, "granted": "no"}

    def _words(self, form: Form) -> str:
        data = form.cleaned_data
        words = {
            "name": self.member,
            "purpose": Purpose(data["purpose"]).label,
            "channel": Channel(data["channel"]).label if data["channel"] else "",
        }
        if data["channel"]:
            yes, no = (
                gettext("%(name)s agrees: %(purpose)s, %(channel)s."),
                gettext("%(name)s does not want: %(purpose)s, %(channel)s."),
            )
        else:
            yes, no = gettext("%(name)s agrees: %(purpose)s."), gettext("%(name)s does not want: %(purpose)s.")
        return (yes if data["granted"] else no) % words

    def _state(self, form: Form) -> bool:
        """Writes it down; whether it was anything new."""
        data = form.cleaned_data
        try:
            said = state_consent(
                member_id=self.member.pk,
                channel=data["channel"],
                purpose=data["purpose"],
                granted=data["granted"],
                source=data["source"],
                evidence=data["evidence"],
                at=self.at,
                actor_id=self.request.user.pk,
            )
        except NoPhone as error:
            raise ValidationError({"channel": gettext("Text messages need a phone number; there is none.")}) from error
        return said is not None

    def preview(self, form: Form) -> list[str]:
        rehearse(lambda: self._state(form))
        sentences = [self._words(form)]
        wording = ConsentWording.objects.filter(purpose=form.cleaned_data["purpose"]).order_by("-version").first()
        if form.cleaned_data["granted"] and wording is not None:
            sentences.append(gettext("Please read this to the member first: “%(text)s”") % {"text": wording.text})
        if form.cleaned_data["purpose"] == Purpose.PROFILING and not form.cleaned_data["granted"]:
            sentences.append(gettext("Nothing the member did decides any more what they are shown or sent."))
        return sentences

    def act(self, form: Form) -> str:
        is_new = self._state(form)
        return self._words(form) if is_new else gettext("That is what the member said before; nothing was added.")


class TagMembersView(ConfirmView):
    """A tag for the members ticked in the list, or no longer."""

    title = _("Tag members")
    form_class = TagForm
    permission_required = "members.add_membertag"
    act_label = _("Do it")

    def get_initial(self) -> dict[str, Any]:
        return {"ids": self.request.GET.get("ids", "")}

    def get_success_url(self) -> str:
        return reverse("admin:members_member_changelist")

    def _tag(self, form: Form) -> int:
        data = form.cleaned_data
        given = {"member_ids": data["ids"], "at": self.at, "actor_id": self.request.user.pk}
        if data["do"] == "add":
            try:
                return add_tag(name=data["name"], **given)[1]
            except ValidationError as error:
                raise ValidationError({"name": error.messages}) from error
        tag = Tag.objects.filter(name__iexact=data["name"]).first()
        if tag is None:
            raise ValidationError({"name": gettext("There is no such tag.")})
        return remove_tag(tag_id=tag.pk, **given)

    def _words(self, form: Form, n: int) -> str:
        words = {"n": n, "tag": form.cleaned_data["name"]}
        if form.cleaned_data["do"] == "add":
            return ngettext("“%(tag)s” is new to %(n)d member.", "“%(tag)s” is new to %(n)d members.", n) % words
        return ngettext("“%(tag)s” comes off %(n)d member.", "“%(tag)s” comes off %(n)d members.", n) % words

    def preview(self, form: Form) -> list[str]:
        return [self._words(form, rehearse(lambda: self._tag(form)))]

    def act(self, form: Form) -> str:
        return self._words(form, self._tag(form))
