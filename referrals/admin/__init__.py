from referrals.admin import blocks, programmes, referrals

__all__ = ["blocks", "programmes", "referrals"]
