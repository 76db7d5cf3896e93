from modeltranslation.translator import TranslationOptions, register

from rewards.models import Benefit, EarningRule, MembershipPlan, Offer, Reward, RewardPicture, Tier


@register(Tier)
class TierTranslation(TranslationOptions):
    fields = ("name", "description")
    required_languages = {"en": ("name",)}


@register(EarningRule)
class EarningRuleTranslation(TranslationOptions):
    fields = ("name", "description")
    required_languages = {"en": ("name",)}


@register(MembershipPlan)
class MembershipPlanTranslation(TranslationOptions):
    fields = ("name", "description")
    required_languages = {"en": ("name",)}


@register(Benefit)
class BenefitTranslation(TranslationOptions):
    fields = ("name", "description")
    required_languages = {"en": ("name",)}


@register(Reward)
class RewardTranslation(TranslationOptions):
    fields = ("name", "summary", "description", "terms")
    required_languages = {"en": ("name",)}


@register(RewardPicture)
class RewardPictureTranslation(TranslationOptions):
    fields = ("alt",)


@register(Offer)
class OfferTranslation(TranslationOptions):
    fields = ("name", "description", "terms")
    required_languages = {"en": ("name",)}
