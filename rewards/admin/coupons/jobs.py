"""Coupons made at once: how far each job is, and how it ended."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import ReadOnlyAdmin, found_or_404
from common.moments import format_moment
from members.enums import JobState
from rewards.models import CouponJob
from rewards.services.coupons.jobs import cancel_job

_OPEN = (JobState.QUEUED, JobState.RUNNING)


def percent(job: CouponJob) -> int:
    """How far it is, 0 to 100."""
    return 100 if job.state == JobState.DONE else min(99, 100 * (job.done + job.skipped) // (job.total or 1))


def headline(job: CouponJob) -> str:
    """How it stands, in one sentence."""
    n = number_format(job.done, use_l10n=True, force_grouping=True)
    if job.segment_id:
        done = ngettext("%(n)s coupon issued.", "%(n)s coupons issued.", job.done) % {"n": n}
    else:
        done = ngettext("%(n)s code in stock.", "%(n)s codes in stock.", job.done) % {"n": n}
    match job.state:
        case JobState.CANCELLED:
            return gettext("Stopped. %(done)s") % {"done": done}
        case JobState.FAILED if job.error == "out_of_codes":
            return gettext("The codes from files have run out. %(done)s") % {"done": done}
        case JobState.FAILED if job.error == "not_running":
            return gettext("The offer was paused, ended or is over. %(done)s") % {"done": done}
        case JobState.FAILED:
            return gettext("Something went wrong. %(done)s") % {"done": done}
    return done


@admin.register(CouponJob)
class CouponJobAdmin(ReadOnlyAdmin):
    list_display = ("offer", "what", "stage", "done", "total", "asked", "created_by")
    list_filter = ("state", "offer")
    list_select_related = ("offer", "segment", "created_by")
    ordering = ("-pk",)
    sortable_by = ()

    def get_urls(self) -> list:
        view = self.admin_site.admin_view(self.progress)
        return [path("<int:job_id>/progress/", view, name="rewards_couponjob_progress"), *super().get_urls()]

    @display(description=_("what"))
    def what(self, job: CouponJob) -> str:
        if job.segment:
            return gettext("issued to “%(segment)s”") % {"segment": job.segment}
        return gettext("codes of a file") if job.uploaded else gettext("codes made")

    @display(
        description=_("state"),
        label={"queued": "info", "running": "info", "done": "success", "failed": "danger", "cancelled": ""},
    )
    def stage(self, job: CouponJob) -> tuple[str, Any]:
        return job.state, job.get_state_display()

    @display(description=_("asked for"))
    def asked(self, job: CouponJob) -> str:
        return format_moment(job.created_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = found_or_404(CouponJob.objects.select_related("offer", "segment", "created_by"), object_id)
        may_stop = request.user.has_perm("rewards.change_offer")
        if request.method == "POST":
            if not may_stop:
                raise PermissionDenied
            cancel_job(job_id=job.pk)
            return redirect("admin:rewards_couponjob_change", job.pk)
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": job.offer,
            "what": self.what(job),
            "may_stop": may_stop,
            **self._shown(job),
        }
        return TemplateResponse(request, "admin/coupons/job.html", context)

    @staticmethod
    def _shown(job: CouponJob) -> dict[str, Any]:
        return {"job": job, "percent": percent(job), "headline": headline(job), "is_open": job.state in _OPEN}

    def progress(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """The bar alone, for htmx to renew; once the job has ended, the whole page is to be loaded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = found_or_404(CouponJob.objects.select_related("offer", "segment"), job_id)
        response = TemplateResponse(request, "admin/coupons/bar.html", self._shown(job))
        if job.state not in _OPEN:
            response["HX-Refresh"] = "true"
        return response
