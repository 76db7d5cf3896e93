"""What a merge does with scores: they are of the night, and of two members no score can be made."""

from members.merging import Strategy, register

register("analytics.MemberScore.member", Strategy.DROP)
