"""What texts are about, in the words of the shop."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from surveys.wording import check_terms


class Theme(models.Model):
    """A theme, and the words by which it is known. It is settled when all texts that were there when its words changed
    have been looked through for it."""

    name = models.CharField(pgettext_lazy("theme", "name"), max_length=60)
    terms = models.TextField(
        pgettext_lazy("theme", "words"),
        validators=[check_terms],
        help_text=_(
            "Words and phrases in both languages, one in each line. English ones are found as whole words, in the "
            "singular and plural; write the singular. A star at the end finds all that begins so: clean*. Chinese "
            "ones are found wherever they stand."
        ),
    )
    ready = models.CharField(max_length=20, blank=True, default="", editable=False)  # which ready theme it was
    changed_at = models.DateTimeField(_("changed"), editable=False)
    settled = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("theme")
        verbose_name_plural = _("themes")
        ordering = ["id"]
        constraints = [models.UniqueConstraint("ready", name="surveys_theme_ready", condition=~Q(ready=""))]

    def __str__(self) -> str:
        return self.name
