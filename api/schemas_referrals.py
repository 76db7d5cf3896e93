"""Bodies and answers of calls about who brought whom."""

from api.schemas import Out, When


class CheckedCode(Out):
    code: str
    valid: bool
    name: str = ""
    gift: str = ""
    link: str = ""


class BroughtFriend(Out):
    state: str
    at: When
    name: str


class Advocate(Out):
    code: str
    link: str
    running: bool
    gives: str
    gift: str
    friends: list[BroughtFriend]
