"""What an offer gives, on which terms, and how much that is for a basket: pure, no queries. docs/coupons.md."""
