"""What the script of the builder begins with: its words, the kinds of questions, what conditions may ask for."""

from collections.abc import Iterable
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from members.enums import Language
from members.models import Segment
from rewards.models import Tier
from surveys import piping
from surveys.definition import Problem
from surveys.enums import NUMERIC, WITH_CHOICES, Comparison, QuestionKind
from surveys.models import Survey
from surveys.ready import EASY, LIKELY, SATISFIED, SETS

# What the script says. Placeholders are filled in there.
_WORDS = {
    "add": _("Add a question"),
    "sets": _("Ready sets"),
    "add_section": _("Add a section"),
    "add_choice": _("Add a choice"),
    "add_row": _("Add a row"),
    "add_condition": _("Add a condition"),
    "add_jump": _("Lead somewhere else"),
    "up": _("Move up"),
    "down": _("Move down"),
    "copy": _("Make a copy"),
    "remove": _("Remove"),
    "clear": _("Take the conditions away"),
    "moved": _("Moved."),
    "removed": _("Removed."),
    "added": _("Added."),
    "kind": _("Kind of question"),
    "title": pgettext_lazy("survey", "Wording"),
    "help": _("Help under it (optional)"),
    "text": pgettext_lazy("survey", "Text"),
    "required": _("must be answered"),
    "conditional": _("not asked of all"),
    "jumping": _("leads elsewhere"),
    "untitled": _("No wording yet"),
    "choices": _("Choices"),
    "rows": _("Rows"),
    "with_other": _("“Something else”, in their own words"),
    "other": _("Something else"),
    "yes": _("Yes, I agree"),
    "no": _("No"),
    "random": _("in random order"),
    "random_questions": _("Ask its questions in random order"),
    "at_least": _("choose at least"),
    "at_most": _("choose at most"),
    "low": _("lowest value"),
    "high": _("highest value"),
    "step": _("in steps of"),
    "stars": _("how many stars"),
    "low_end": _("What the lowest means (optional)"),
    "high_end": _("What the highest means (optional)"),
    "short_hint": _("One line, up to 500 characters."),
    "long_hint": _("Several lines, up to 10,000 characters."),
    "picture": _("Choose a picture"),
    "insert": _("Insert an answer or the name…"),
    "name": _("the member's name"),
    "logic": _("Logic"),
    "asked_if": _("It is asked"),
    "only_if": _("of everybody – ask only if…"),
    "leads": _("Where it goes on"),
    "then_to": _("then go on with"),
    "always_to": _("in any case go on with"),
    "end": _("the end of the survey"),
    "all": _("All of these are true"),
    "any": _("At least one of these is true"),
    "mode": _("How the conditions count together"),
    "negate": _("Turn into its opposite"),
    "that": _("if"),
    "that_not": _("unless"),
    "question": _("Question"),
    "answer": _("Answer"),
    "comparison": _("comparison"),
    "tier": _("the member's tier is"),
    "segment": _("the member is in the segment"),
    "gone": _("“%(name)s” is not there any more"),
    "json": _("Other conditions (as JSON)"),
    "choose": _("Choose…"),
    "section": _("Section"),
    "section_title": _("Heading (optional)"),
    "section_more": _("Settings of this section"),
    "questions": _("Questions"),
    "empty": _("No question yet."),
    "thanks": _("At the end"),
    "sure": _("Remove this section with its questions (%(n)s)?"),
    "begin": _("Choose a first question."),
    "writing": _("The new question is not finished yet."),
    "wrong": _("%(n)s things are to be mended. They are marked."),
    "wrong_one": _("One thing is to be mended. It is marked."),
    "fine": _("Everything is complete: it can be asked."),
    "offline": _("The server did not answer. What you entered is still here; the next change asks again."),
}
_ICONS = {
    QuestionKind.NPS: "speed",
    QuestionKind.CSAT: "sentiment_satisfied",
    QuestionKind.CES: "fitness_center",
    QuestionKind.STARS: "star",
    QuestionKind.SINGLE: "radio_button_checked",
    QuestionKind.MULTIPLE: "check_box",
    QuestionKind.RANKING: "format_list_numbered",
    QuestionKind.MATRIX: "table_rows",
    QuestionKind.SLIDER: "linear_scale",
    QuestionKind.SHORT: "short_text",
    QuestionKind.LONG: "notes",
    QuestionKind.NUMBER: "123",
    QuestionKind.DATE: "event",
    QuestionKind.PICTURE: "imagesmode",
    QuestionKind.CONSENT: "verified_user",
    QuestionKind.PHOTO: "photo_camera",
    QuestionKind.STATEMENT: "article",
}
_ENDS = {QuestionKind.NPS: LIKELY, QuestionKind.CSAT: SATISFIED, QuestionKind.CES: EASY}
_USUAL = {
    QuestionKind.NPS: {
        "en": "How likely are you to recommend us to a friend?",
        "zh-hans": "您有多大可能把我们推荐给朋友？",
    },
    QuestionKind.CSAT: {"en": "How happy are you with your visit?", "zh-hans": "您对这次光临满意吗？"},
    QuestionKind.CES: {"en": "It was easy to get what I came for.", "zh-hans": "我很容易就买到了想要的东西。"},
}


def script_words() -> dict[str, str]:
    return {key: str(text) for key, text in _WORDS.items()}


def _family(kind: QuestionKind) -> str:
    """Which comparisons its answers bear (surveys.parser)."""
    if kind in NUMERIC:
        return "numbers"
    if kind in (QuestionKind.SINGLE, QuestionKind.PICTURE, QuestionKind.CONSENT):
        return "one"
    return "several" if kind == QuestionKind.MULTIPLE else "other"


def kinds() -> list[dict[str, Any]]:
    return [
        {
            "kind": kind.value,
            "label": str(kind.label),
            "icon": _ICONS[kind],
            "choices": kind in WITH_CHOICES,
            "family": _family(kind),
            "ends": _ENDS.get(kind),
            "usual": _USUAL.get(kind),
        }
        for kind in QuestionKind
    ]


def settings(survey: Survey, *, may: bool, problems: Iterable[Problem]) -> dict[str, Any]:
    """Where the script asks, and what it offers."""
    names = dict(Language.choices)
    return {
        "survey": survey.pk,
        "may": may,
        "anonymous": survey.anonymous,
        "check": reverse("admin:surveys_survey_check"),
        "upload": reverse("admin:surveys_survey_upload", args=[survey.pk]),
        "languages": [[code, str(names[Language(code)])] for code in survey.languages],
        "kinds": kinds(),
        "sets": [{"name": str(one.name), "icon": one.icon, "questions": list(one.questions)} for one in SETS.values()],
        "comparisons": {value: str(label) for value, label in Comparison.choices},
        "tiers": [[tier.pk, tier.name] for tier in Tier.objects.order_by("rank")],
        "segments": [
            [segment.pk, segment.name or gettext("segment")]
            for segment in Segment.objects.filter(archived_at=None).order_by("name")
        ],
        "pictures": {
            pk: reverse("portal:survey_picture", args=[pk]) for pk in survey.pictures.values_list("pk", flat=True)
        },
        "profile": [] if survey.anonymous else piping.fields(),
        "problems": [{"path": one.path, "sentence": one.sentence} for one in problems],
    }
