"""Who may work at a till: a cashier sees members and records what they buy."""

PERMISSIONS = ("members.view_member", "members.add_purchase")
