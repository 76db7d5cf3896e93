"""What is asked twice."""

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from common.admin import ConfirmView, found_or_404
from members.admin.segments.words import number
from members.models import Segment
from members.services.segments import SegmentInUse, archive_segment, held_by


class ArchiveView(ConfirmView):
    """A segment that is no longer wanted goes out of the way; what happened stays."""

    title = _("Archive this segment")
    intro = _("It leaves the lists and is not kept up to date any more. Its history stays.")
    form_class = forms.Form
    permission_required = "members.change_segment"
    act_label = _("Archive")

    def get_object(self) -> Segment:
        return found_or_404(Segment, self.kwargs["object_id"])

    def get_success_url(self) -> str:
        return reverse("admin:members_segment_change", args=[self.kwargs["object_id"]])

    def preview(self, form: forms.Form) -> list[str]:
        segment = self.get_object()
        self.refuse_in_use(segment)
        text = ngettext(
            "“%(name)s” has %(n)s member now and will have none.",
            "“%(name)s” has %(n)s members now and will have none.",
            segment.size,
        )
        return [
            text % {"name": segment, "n": number(segment.size)},
            gettext("It cannot be taken back; a copy can be made of it."),
        ]

    @staticmethod
    def refuse_in_use(segment: Segment) -> None:
        users = [str(user) for user in segment.used_by.filter(archived_at=None)]
        raise_in_use(users, hasattr(segment, "persona"), held_by(segment.pk))

    def act(self, form: forms.Form) -> str:
        try:
            segment = archive_segment(segment_id=self.kwargs["object_id"], at=self.at)
        except SegmentInUse as used:
            raise_in_use(used.segments, used.persona, used.others)
            raise
        return gettext("“%(name)s” is archived.") % {"name": segment}


def raise_in_use(segments: list[str], persona: bool, others: list[str]) -> None:
    """ValidationError where somebody stands on the segment."""
    if segments:
        text = gettext("These segments ask for it: %(names)s. Change them first.")
        raise ValidationError(text % {"names": ", ".join(segments)})
    if others:
        text = gettext("These campaigns ask for it: %(names)s. Let them ask for something else first.")
        raise ValidationError(text % {"names": ", ".join(others)})
    if persona:
        raise ValidationError(gettext("It is a persona. Take the persona away first, or give it another segment."))
