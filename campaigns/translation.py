from modeltranslation.translator import TranslationOptions, register

from campaigns.models import Brand, Occasion, Topic


@register(Occasion)
class OccasionTranslation(TranslationOptions):
    fields = ("name",)
    required_languages = ("en",)


@register(Brand)
class BrandTranslation(TranslationOptions):
    fields = ("footer",)


@register(Topic)
class TopicTranslation(TranslationOptions):
    fields = ("name", "about")
    required_languages = {"en": ("name",)}
