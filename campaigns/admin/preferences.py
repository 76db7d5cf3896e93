"""What members can choose, what has to be confirmed, and how much a member gets at most."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from modeltranslation.admin import TranslationAdmin
from unfold.decorators import display

from campaigns.enums import Medium
from campaigns.models import Cap, OptInRule, Topic
from common.admin import DeskAdmin


def cap_words(cap: Cap) -> str:
    """A limit as a sentence: "At most 3 messages in 7 days, by all channels together."."""
    text = ngettext("At most %(n)d message", "At most %(n)d messages", cap.number) % {"n": cap.number}
    span = ngettext("in %(n)d day", "in %(n)d days", cap.days) % {"n": cap.days}
    where = Medium(cap.channel).label if cap.channel else _("all channels together")
    return f"{text} {span} · {where}"


@admin.register(Topic)
class TopicAdmin(DeskAdmin, TranslationAdmin):
    """Members see them in the preference centre, below the purpose they belong to."""

    list_display = ("name", "purpose", "about", "position", "archived")
    list_filter = ("purpose", "archived")
    search_fields = ("name_en", "name_zh_hans")
    fieldsets = (
        (None, {"fields": ("purpose", "position", "archived")}),
        (_("English"), {"classes": ("tab",), "fields": ("name_en", "about_en")}),
        (_("Simplified Chinese"), {"classes": ("tab",), "fields": ("name_zh_hans", "about_zh_hans")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("purpose",) if obj else ()  # members have said yes or no to it as it was


@admin.register(Cap)
class CapAdmin(DeskAdmin):
    list_display = ("sentence", "active")
    list_filter = ("active", "channel")
    fields = ("number", "days", "channel", "active")

    @display(description=_("limit"))
    def sentence(self, cap: Cap) -> str:
        return cap_words(cap)


@admin.register(OptInRule)
class OptInRuleAdmin(DeskAdmin):
    list_display = ("purpose", "channel", "days", "active")
    fields = ("purpose", "channel", "days", "active")
