"""Templates to begin from: those that are good as they stand, in both languages. A copy belongs to the shop."""

from campaigns.content.ready import asking, days, lives
from campaigns.content.ready.shape import Ready

READY: dict[str, Ready] = {one.key: one for one in (*lives.READY, *asking.READY, *days.READY)}
