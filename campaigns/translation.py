from modeltranslation.translator import TranslationOptions, register

from campaigns.models import BirthdayGreeting, Brand


@register(BirthdayGreeting)
class BirthdayGreetingTranslation(TranslationOptions):
    fields = ("subject", "body")
    required_languages = ("en",)


@register(Brand)
class BrandTranslation(TranslationOptions):
    fields = ("footer",)
