"""Offers and coupons: made, issued, used, given back. docs/coupons.md."""
