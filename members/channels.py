"""The channels that members can agree to. Mail and text messages always; another only while an app can send by it."""

from collections.abc import Callable

from members.enums import Channel

_asks: dict[Channel, Callable[[], bool]] = {}


def register(channel: Channel, is_offered: Callable[[], bool]) -> None:
    """`is_offered` says whether anything can be sent by the channel as things are now. Called once, when an app is
    ready."""
    _asks[channel] = is_offered


def offered() -> list[Channel]:
    """Those to show and to ask about, in order."""
    return [channel for channel in Channel if channel not in _asks or _asks[channel]()]
