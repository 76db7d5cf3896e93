"""Look and navigation of the staff admin (django-unfold)."""

UNFOLD: dict = {"SITE_TITLE": "Loyalty CRM", "SITE_HEADER": "Loyalty CRM"}
