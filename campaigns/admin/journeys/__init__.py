"""The staff pages of journeys."""

from campaigns.admin.journeys import admin, runs

__all__ = ["admin", "runs"]
