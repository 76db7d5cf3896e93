"""Who sends: made with good settings where there is none yet."""

from campaigns.enums import Medium, Transport
from campaigns.models import Sender
from members import channels
from members.enums import Channel

_WAYS = {
    Medium.EMAIL: Transport.SITE,
    Medium.SMS: Transport.LOG,
    Medium.APP: Transport.APP,
    Medium.WEBHOOK: Transport.LOG,
}


def is_app_set_up() -> bool:
    """Whether members can be written to in an app: its sender says whom a call goes to."""
    return Sender.objects.filter(channel=Medium.WEBHOOK, is_default=True).exclude(goes_to="").exists()


def usable_channels() -> list[Medium]:
    """The ways that a message of a campaign can take as things are set up."""
    return [one for one in Medium if one is not Medium.WEBHOOK or is_app_set_up()]


def channel_choices() -> list[tuple[str, str]]:
    """The same for a form."""
    return [(one.value, str(one.label)) for one in usable_channels()]


def register() -> None:
    """Called once, when the app is ready."""
    channels.register(Channel.WEBHOOK, is_app_set_up)


def default_sender(channel: str) -> Sender:
    """Who sends by a channel where nothing else was chosen."""
    medium = Medium(channel)
    found = Sender.objects.filter(channel=medium, is_default=True).first()
    if found:
        return found
    values = {"transport": _WAYS[medium], "label": str(medium.label)}
    return Sender.objects.get_or_create(channel=medium, is_default=True, defaults=values)[0]
