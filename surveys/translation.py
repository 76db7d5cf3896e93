from modeltranslation.translator import TranslationOptions, register

from surveys.models import CannedReply, Category, RootCause, Suggestion, Theme


@register(Category)
class CategoryTranslation(TranslationOptions):
    fields = ("name",)
    required_languages = {"en": ("name",)}


@register(RootCause)
class RootCauseTranslation(TranslationOptions):
    fields = ("name",)
    required_languages = {"en": ("name",)}


@register(CannedReply)
class CannedReplyTranslation(TranslationOptions):
    fields = ("text",)
    required_languages = {"en": ("text",)}


@register(Suggestion)
class SuggestionTranslation(TranslationOptions):
    fields = ("title", "answer")
    required_languages = {"en": ("title",)}


@register(Theme)
class ThemeTranslation(TranslationOptions):
    fields = ("name",)
    required_languages = {"en": ("name",)}
