"""How the invitations to a survey go out."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SurveyMail(models.Model):
    """The campaign that sends the invitations to a survey, and what they say: the newest version of a template."""

    survey = models.OneToOneField(
        "surveys.Survey", models.PROTECT, primary_key=True, related_name="mail", verbose_name=_("survey")
    )
    campaign = models.OneToOneField("campaigns.Campaign", models.PROTECT, related_name="survey_mail")
    template = models.ForeignKey("campaigns.Template", models.PROTECT, related_name="+", verbose_name=_("template"))

    class Meta:
        verbose_name = _("mail of a survey")
        verbose_name_plural = _("mails of surveys")

    def __str__(self) -> str:
        return str(self.survey)
