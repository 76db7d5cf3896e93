"""How much there is to doubt in a referral, 0 to 100, and why. None of the signals proves anything: above a threshold
a person looks. docs/referrals.md states each."""

from collections.abc import Iterable

from referrals.enums import Signal

# Points out of 100. Several come together as 1 - Π (1 - points/100): two weak ones make no sure one.
WEIGHTS: dict[Signal, int] = {
    Signal.DEVICE: 60,
    Signal.ADDRESS: 60,
    Signal.DISPOSABLE: 50,
    Signal.STREET: 45,
    Signal.VELOCITY: 40,
    Signal.REFUNDED: 35,
    Signal.NETWORK: 25,  # a café, an office, a home: by itself never enough
    Signal.NAME: 20,  # families share names
}
MANY_A_DAY = 5  # friends of one giver within 24 hours, from which it is many


def score(signals: Iterable[Signal]) -> int:
    """The doubt that these signals make together, 0 to 99."""
    trust = 1.0
    for signal in signals:
        trust *= 1 - WEIGHTS[signal] / 100
    return min(99, round(100 * (1 - trust)))
