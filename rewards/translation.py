from modeltranslation.translator import TranslationOptions, register

from rewards.models import Tier


@register(Tier)
class TierTranslation(TranslationOptions):
    fields = ("name",)
    required_languages = ("en",)
