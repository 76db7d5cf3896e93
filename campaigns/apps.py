from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns import (  # noqa: F401  these register
            events,
            merging,
            panels_preferences,
            panels_trace,
            panels_winback,
            privacy,
            reactions,
            traits,
            webhooks,
        )
        from campaigns.content import products, sources, survey_block
        from campaigns.merge_fields import register_all
        from campaigns.queries_broadcasts import broadcasts_that_ask
        from campaigns.queries_journeys import journeys_that_ask
        from campaigns.services import greeting, keeping, opt_in, senders, survey_mail, survey_profile, topics, verify
        from campaigns.services.broadcasts import writing
        from campaigns.services.erasure import erase_messages
        from campaigns.services.journeys import writing as journeys
        from campaigns.services.journeys.erasure import erase_runs
        from campaigns.services.preference_keeping import erase_preferences
        from members.privacy import register_eraser
        from members.services.segments import register_holder

        register_all()
        sources.register_all()
        products.register_all()
        survey_block.register_all()
        survey_mail.register_all()
        survey_profile.register_all()
        merging.register_all()
        privacy.register_all()
        register_eraser("campaigns", erase_messages)
        register_eraser("journeys", erase_runs)
        journeys.register()
        register_holder(journeys_that_ask)
        register_holder(broadcasts_that_ask)
        register_eraser("campaigns.preferences", erase_preferences)
        opt_in.register()
        panels_preferences.register_all()
        panels_trace.register_all()
        panels_winback.register_all()
        keeping.register_all()
        verify.register_all()
        writing.register()
        topics.register()
        senders.register()
        greeting.register()
        post_migrate.connect(open_calendar, sender=self)


def open_calendar(using: str, **kwargs) -> None:
    """The occasions that come with the product, with their days, stand wherever their tables do, as they are now."""
    from django.db import connections
    from django.utils import timezone

    from campaigns.models import Occasion, OccasionDate
    from campaigns.services.occasions import keep_calendar

    inspect = connections[using].introspection
    with connections[using].cursor() as cursor:
        there = set(inspect.table_names(cursor))
        for model in (Occasion, OccasionDate):
            if (table := model._meta.db_table) not in there:
                return
            columns = {column.name for column in inspect.get_table_description(cursor, table)}
            if any(field.column not in columns for field in model._meta.local_concrete_fields):
                return
    keep_calendar(at=timezone.now())
