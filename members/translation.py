from modeltranslation.translator import TranslationOptions, register

from members.models import Attribute, ConsentWording, Persona, Segment


@register(ConsentWording)
class ConsentWordingTranslation(TranslationOptions):
    fields = ("text",)
    required_languages = ("en",)


@register(Attribute)
class AttributeTranslation(TranslationOptions):
    fields = ("label",)
    required_languages = ("en",)


@register(Segment)
class SegmentTranslation(TranslationOptions):
    fields = ("name", "description")
    required_languages = ("en",)


@register(Persona)
class PersonaTranslation(TranslationOptions):
    fields = ("who", "wants", "frustrations")
    required_languages = ("en",)
