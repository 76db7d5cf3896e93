from django.db import models
from django.db.models import F, Q, Value
from django.utils.translation import gettext_lazy as _

from analytics.enums import Group
from analytics.rules import group_of

_SCORE = Q(recency__range=(1, 5), frequency__range=(1, 5), monetary__range=(1, 5))


class MemberScore(models.Model):
    """A member's place among all who bought: 5 is the best fifth. docs/rfm.md says how it is counted.

    No row: never bought, asked not to be treated personally, or too few buyers to compare.
    """

    member = models.OneToOneField(
        "members.Member", models.PROTECT, primary_key=True, related_name="score", verbose_name=_("member")
    )
    recency = models.PositiveSmallIntegerField(_("recency"))
    frequency = models.PositiveSmallIntegerField(_("frequency"))
    monetary = models.PositiveSmallIntegerField(_("money"))
    value = models.GeneratedField(
        expression=(F("frequency") + F("monetary") + Value(1)) / Value(2),
        output_field=models.PositiveSmallIntegerField(),
        db_persist=True,
        verbose_name=_("value"),
    )
    since = models.DateTimeField(_("since"), help_text=_("When these scores were first counted."))

    class Meta:
        verbose_name = _("RFM score")
        verbose_name_plural = _("RFM scores")
        constraints = [models.CheckConstraint(name="analytics_memberscore_range", condition=_SCORE)]

    def __str__(self) -> str:
        return f"{self.recency}-{self.frequency}-{self.monetary}"

    @property
    def group(self) -> Group:
        """The named group of the map."""
        return group_of(self.recency, self.value)


class Snapshot(models.Model):
    """Figures that take long to count, as they stood at a moment (analytics.services.snapshots)."""

    name = models.CharField(_("name"), max_length=40, primary_key=True)
    at = models.DateTimeField(_("as of"))
    took = models.FloatField(_("seconds"), help_text=_("How long they took to count."))
    data = models.JSONField(_("figures"))

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")

    def __str__(self) -> str:
        return f"{self.name} {self.at:%Y-%m-%d %H:%M}"
