"""Members' codes: 8 characters that can be read aloud, 38 bits. Who tries many is slowed down (services.finding)."""

import secrets

from rewards.codes import ALPHABET, candidates

LENGTH = 8


def new_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def shown(code: str) -> str:
    """In two groups of four."""
    return f"{code[:4]}-{code[4:]}" if len(code) == LENGTH else code


def readings(typed: str) -> list[str]:
    """What somebody who typed this may mean, likeliest first."""
    return [one for one in candidates(typed) if len(one) == LENGTH]
