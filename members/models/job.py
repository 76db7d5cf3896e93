from django.db import models
from django.utils.translation import gettext_lazy as _

from members.enums import ImportState
from members.import_problems import sentence


class Job(models.Model):
    """Long work behind the scenes, in the hands of one worker at a time by a lease (members.services.imports.leases).

    `error` and `error_params` make the sentence of members.import_problems for what went wrong as a whole.
    """

    state = models.CharField(_("state"), max_length=10, choices=ImportState, default=ImportState.QUEUED)
    cancel_requested = models.BooleanField(_("cancel"), default=False)
    error = models.CharField(_("error"), max_length=40, blank=True)
    error_params = models.JSONField(_("details"), default=dict, blank=True)
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    lease = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def is_open(self) -> bool:
        """Whether it waits for a worker or is in one's hands."""
        return self.state in (ImportState.QUEUED, ImportState.RUNNING)

    @property
    def error_sentence(self) -> str:
        """Why it failed as a whole, in the active language; empty where it did not."""
        return sentence(self.error, self.error_params) if self.error else ""
