from rewards.admin.coupons import codes, jobs, offers

__all__ = ["codes", "jobs", "offers"]
