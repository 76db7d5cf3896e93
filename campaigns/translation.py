from modeltranslation.translator import TranslationOptions, register

from campaigns.models import BirthdayGreeting


@register(BirthdayGreeting)
class BirthdayGreetingTranslation(TranslationOptions):
    fields = ("subject", "body")
    required_languages = ("en",)
