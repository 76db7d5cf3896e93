"""What staff do when a member asks for their data, or to be forgotten."""

from django import forms
from django.core.exceptions import ValidationError
from django.forms import Form
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from campaigns.enums import MessageState
from campaigns.models import Message
from loyalty_crm.admin.member_acts import MemberAct
from members.enums import AccessAction, JobState
from members.models import Member
from members.services.access import log_access
from members.services.data_exports import request_export
from members.services.erasure import AlreadyErased, erase_member, everyone_merged
from members.services.traces import FileInUse
from rewards import queries as rewards
from rewards.enums import HoldState
from rewards.models import Hold


class ErasureForm(forms.Form):
    """The card number typed once more: nobody is erased by a slip of the hand."""

    card_number = forms.CharField(
        label=_("Card number"),
        help_text=_("Type the member's card number to confirm whom you mean."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "inputmode": "numeric"}),
    )

    def clean_card_number(self) -> str:
        return "".join(c for c in self.cleaned_data["card_number"] if c.isdigit())


class EraseView(MemberAct):
    title = _("Erase this member")
    form_class = ErasureForm
    permission_required = "members.delete_member"
    act_label = _("Erase for good")
    danger = True

    @property
    def intro(self) -> str:
        text = gettext("Everything that says who %(name)s is goes, everywhere, and cannot be brought back.")
        return text % {"name": self.member}

    def _check(self, form: Form) -> None:
        if form.cleaned_data["card_number"] != self.member.card_number:
            raise ValidationError({"card_number": gettext("That is not the number of this card.")})

    def preview(self, form: Form) -> list[str]:
        """What goes, what is settled, and what stays."""
        self._check(form)
        ids = everyone_merged([self.member.pk])
        points = sum(rewards.balances(ids, self.at).values())
        reserved = Hold.objects.filter(account__member__in=ids, state=HoldState.RESERVED)
        amounts = list(reserved.values_list("amount", flat=True))
        held, points = len(amounts), points + sum(amounts)
        waiting = Message.objects.filter(member__in=ids, state__in=[MessageState.QUEUED, MessageState.CLAIMED]).count()
        kept = sum(member.purchases.count() for member in Member.objects.filter(pk__in=ids))
        sentences = [
            gettext(
                "Gone: name, contacts, address, birthday, attributes, notes, tasks, tags, messages' texts, the"
                " timeline, the portal account, and every uploaded or exported file in which the member stands."
            )
        ]
        if len(ids) > 1:
            text = ngettext(
                "%(n)d member merged with this one is erased too.",
                "%(n)d members merged with this one are erased too.",
                len(ids) - 1,
            )
            sentences.append(text % {"n": len(ids) - 1})
        if held:
            text = ngettext("%(n)d reservation is cancelled.", "%(n)d reservations are cancelled.", held)
            sentences.append(text % {"n": held})
        if points:
            sentences.append(
                gettext("The points are written off: %(points)s, as of now.") % {"points": rewards.points_text(points)}
            )
        if waiting:
            text = ngettext("%(n)d waiting message is stopped.", "%(n)d waiting messages are stopped.", waiting)
            sentences.append(text % {"n": waiting})
        text = ngettext(
            "Kept, as nobody's: %(n)d purchase and every movement of points. What was consented to stays as proof.",
            "Kept, as nobody's: %(n)d purchases and every movement of points. What was consented to stays as proof.",
            kept,
        )
        return [*sentences, text % {"n": kept}]

    def act(self, form: Form) -> str:
        self._check(form)
        try:
            erased = erase_member(member_id=self.member.pk, at=self.at, actor_id=self.request.user.pk)
        except FileInUse as busy:
            text = gettext("“%(name)s” names this member and is being worked on. Please try again when it is done.")
            raise ValidationError(text % {"name": busy}) from busy
        except AlreadyErased as gone:
            raise ValidationError(gettext("This member is erased already.")) from gone
        text = ngettext(
            "The member is erased, and %(n)d file with them.",
            "The member is erased, and %(n)d files with them.",
            erased.files,
        )
        return text % {"n": erased.files}

    def get_success_url(self) -> str:
        if Member.objects.filter(pk=self.member.pk, erased_at=None).exists():
            return super().get_success_url()
        return reverse("admin:members_member_changelist")


class HandOverView(MemberAct):
    """A file for a member who asks for their data; kept for a week."""

    title = _("All data of this member")
    form_class = Form
    permission_required = "members.add_dataexport"
    act_label = _("Make the file")
    intro = _("For a member who asks what we hold about them. Be sure who asks.")

    def preview(self, form: Form) -> list[str]:
        return [
            gettext("A file with everything we hold about %(name)s, in their language: a page to read, and JSON.")
            % {"name": self.member},
            gettext("That you made it is written down, and the member can see that."),
        ]

    def act(self, form: Form) -> str:
        by = self.request.user.pk
        self.export = request_export(member_id=self.member.pk, at=self.at, actor_id=by)
        log_access(
            actor_id=by, action=AccessAction.EXPORTED, what="all data of a member", member_id=self.member.pk, at=self.at
        )
        if self.export.state == JobState.DONE:
            return gettext("The file is ready: fetch it below.")
        return gettext("The file is being put together; it will be here in a minute.")

    def get_success_url(self) -> str:
        if getattr(self, "export", None):
            return reverse("admin:members_dataexport_changelist")
        return super().get_success_url()
