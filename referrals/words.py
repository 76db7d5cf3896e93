"""Thanks, states and share texts in words of the active language."""

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext, ngettext

from common.money import format_money
from members.queries import get_programme
from members.similarity import is_chinese
from referrals.definition import Definition, Thanks
from referrals.enums import Qualifies, ShareChannel
from referrals.models import Referral
from rewards.models import MembershipPlan, Offer, Tier
from rewards.queries import points_text


def parts(thanks: Thanks) -> list[str]:
    """What somebody gets, one thing after another."""
    words = []
    if thanks.points:
        words.append(points_text(thanks.points))
    if thanks.credit:
        words.append(format_money(thanks.credit, get_programme().currency))
    for model, pk in ((Offer, thanks.offer), (MembershipPlan, thanks.plan)):
        if pk and (named := model.objects.filter(pk=pk).first()):
            words.append(str(named.name))
    if thanks.tier and (tier := Tier.objects.filter(pk=thanks.tier).first()):
        days = thanks.tier_days or 0
        told = {"tier": tier.name, "n": days}
        words.append(ngettext("%(tier)s for %(n)d day", "%(tier)s for %(n)d days", days) % told)
    return words


def in_words(thanks: Thanks) -> str:
    """What somebody gets, in one phrase: "200 points and €5.00"; "" for nothing."""
    words = parts(thanks)
    if len(words) < 2:
        return "".join(words)
    return gettext("%(first)s and %(last)s") % {"first": gettext(", ").join(words[:-1]), "last": words[-1]}


def gift_of(definition: Definition) -> str:
    """What the friend gets in all."""
    both = [words for words in (in_words(definition.welcome), in_words(definition.friend)) if words]
    return gettext(" and later ").join(both)


def asked_of(definition: Definition) -> str:
    """What the friend has to do, as a sentence."""
    least = format_money(definition.least, get_programme().currency)
    match definition.by:
        case Qualifies.SIGN_UP:
            return gettext("once your friend has joined")
        case Qualifies.PURCHASES if definition.least:
            words = {"n": definition.count, "least": least}
            return gettext("once your friend has bought %(n)d times for at least %(least)s") % words
        case Qualifies.PURCHASES:
            return gettext("once your friend has bought %(n)d times") % {"n": definition.count}
        case Qualifies.SURVEY:
            return gettext("once your friend has answered our questions")
        case Qualifies.EVENT:
            return gettext("once your friend has taken part")
    if definition.least:
        return gettext("once your friend has bought for at least %(least)s") % {"least": least}
    return gettext("once your friend has bought something")


def text(definition: Definition, name: str, language: str | None = None) -> str:
    """A text of the marketers in a language, else in any that there is."""
    texts: Mapping[str, str] = definition.texts.get(name, {})
    return texts.get(language or get_language() or "en") or next((one for one in texts.values() if one), "")


def share_text(definition: Definition, *, name: str, link: str) -> str:
    """The ready text to send, with its places filled in."""
    filled = text(definition, "share")
    for place, value in (("{name}", name), ("{gift}", gift_of(definition)), ("{link}", link)):
        filled = filled.replace(place, value)
    return filled


# Where a link can be sent to by an address of the service itself. WeChat has none: its members scan or paste.
_SERVICES = {
    ShareChannel.WHATSAPP: "https://wa.me/?text={text}",
    ShareChannel.TELEGRAM: "https://t.me/share/url?url={link}&text={said}",
    ShareChannel.X: "https://x.com/intent/post?text={text}",
    ShareChannel.FACEBOOK: "https://www.facebook.com/sharer/sharer.php?u={link}",
    ShareChannel.LINE: "https://line.me/R/share?text={text}",
    ShareChannel.MAIL: "mailto:?subject={subject}&body={text}",
}


def share_links(definition: Definition, *, name: str, link: str) -> Iterable[tuple[ShareChannel, str]]:
    """(channel, address) of each service; `link` without its channel, which each address adds."""
    subject = text(definition, "headline")
    for channel, pattern in _SERVICES.items():
        own = f"{link}?c={channel}"
        said = share_text(definition, name=name, link=own)
        told = {"text": said, "link": own, "subject": subject, "said": said.replace(own, "").strip()}
        yield channel, pattern.format(**{key: quote(value, safe="") for key, value in told.items()})


def first_name(name: str) -> str:
    """What friends may be called: the first word of a name; of a Chinese one what follows the family name."""
    words = name.split()
    if len(words) == 1 and is_chinese(name) and 2 <= len(words[0]) <= 4:
        return words[0][-2:] if len(words[0]) > 2 else words[0][-1:]
    return words[0] if words else ""


def standing(referral: Referral) -> str:
    """Where a referral stands, for its giver."""
    day = date_format(localtime(referral.due_at).date(), "DATE_FORMAT", use_l10n=True) if referral.due_at else ""
    match referral.state:
        case "joined":
            return gettext("Joined. Counts with what they do by %(day)s.") % {"day": day}
        case "review":
            return gettext("We are having a look. You hear from us by %(day)s.") % {"day": day}
        case "held":
            return gettext("Waiting until %(day)s, when nothing can be given back any more.") % {"day": day}
        case "rewarded" if referral.is_capped:
            return gettext("Counted. You had brought as many as are thanked for already.")
        case "rewarded":
            return gettext("Done. Thank you!")
    return gettext(referral.reason) if referral.reason else str(referral.get_state_display())
