from modeltranslation.translator import TranslationOptions, register

from members.models import ConsentWording


@register(ConsentWording)
class ConsentWordingTranslation(TranslationOptions):
    fields = ("text",)
    required_languages = ("en",)
