"""Checks that coupons, their uses, and offers for the first so many agree. Part of rewards.services.verify."""

from django.utils.translation import gettext_lazy as _

from rewards.services.check import Check

COUPON_CHECKS = [
    Check(
        _("What is counted of an offer for the first so many is what is reserved or used"),
        "rewards_offer",
        """
        SELECT offer.id, CASE WHEN offer.uses_limit IS NULL THEN 0 ELSE coalesce(live.n, 0) END AS expected,
               offer.uses AS found
        FROM rewards_offer AS offer LEFT JOIN (
            SELECT offer_id, count(*) AS n FROM rewards_couponuse WHERE state IN ('reserved', 'used') GROUP BY offer_id
        ) AS live ON live.offer_id = offer.id
        """,
    ),
    Check(
        _("A coupon is reserved or used where a use says so, and only there"),
        "rewards_coupon",
        """
        SELECT coupon.id, coalesce(live.state, 'free') AS expected,
               CASE WHEN coupon.state IN ('reserved', 'used') THEN coupon.state ELSE 'free' END AS found
        FROM rewards_coupon AS coupon JOIN rewards_offer AS offer ON offer.id = coupon.offer_id
        LEFT JOIN rewards_couponuse AS live ON live.coupon_id = coupon.id AND live.state IN ('reserved', 'used')
        WHERE offer.kind <> 'card'
        """,
    ),
    Check(
        _("A coupon was used for its own offer, by the member whose it is"),
        "rewards_couponuse",
        """
        SELECT use.id, concat_ws(' ', coupon.offer_id, coalesce(coupon.member_id, use.member_id)) AS expected,
               concat_ws(' ', use.offer_id, use.member_id) AS found
        FROM rewards_couponuse AS use JOIN rewards_coupon AS coupon ON coupon.id = use.coupon_id
        """,
    ),
    # A card's money is held to its transfers and lots as a wallet's is.
    Check(
        _("A gift card that was issued has an account, and one that is used up or withdrawn has nothing on it"),
        "rewards_coupon",
        """
        SELECT coupon.id,
               CASE WHEN offer.kind <> 'card' OR coupon.issued_at IS NULL THEN 'none'
                    WHEN coupon.state IN ('issued', 'used', 'void') THEN 'card' END AS expected,
               CASE WHEN card.id IS NULL THEN 'none'
                    WHEN given.id IS NULL THEN 'not given'
                    WHEN coupon.state IN ('used', 'void') AND card.balance > 0 THEN coupon.state || ' with money'
                    WHEN coupon.state = 'issued' AND card.balance = 0
                         AND (coupon.expires_at IS NULL OR coupon.expires_at > now()) THEN 'empty'
                    ELSE card.kind END AS found
        FROM rewards_coupon AS coupon JOIN rewards_offer AS offer ON offer.id = coupon.offer_id
        LEFT JOIN rewards_account AS card ON card.coupon_id = coupon.id
        LEFT JOIN rewards_transfer AS given ON given.key = 'card:' || coupon.id AND given.credit_id = card.id
        """,
    ),
    # What is taken off a purchase's lines is at least what its coupons took: the lines' own discounts are in it, too.
    Check(
        _("What coupons took off a purchase stands in its lines"),
        "members_purchase",
        """
        SELECT used.purchase_id AS id, NULL AS expected,
               CASE WHEN used.minor > lines.minor THEN used.minor || ' of ' || lines.minor END AS found
        FROM (
            SELECT purchase_id, sum(discount_minor) AS minor FROM rewards_couponuse
            WHERE purchase_id IS NOT NULL AND state = 'used' GROUP BY purchase_id
        ) AS used
        JOIN (
            SELECT purchase_id, sum(discount_minor) AS minor FROM members_purchaseline GROUP BY purchase_id
        ) AS lines ON lines.purchase_id = used.purchase_id
        """,
    ),
]
