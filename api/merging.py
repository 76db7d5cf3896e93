"""What a merge of two members does with the answers about them: they follow, so that an erasure finds them."""

from members.merging import Strategy, register


def register_all() -> None:
    register("api.Answer.member", Strategy.MOVE)
