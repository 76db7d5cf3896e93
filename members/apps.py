from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MembersConfig(AppConfig):
    name = "members"
    verbose_name = _("Members")

    def ready(self) -> None:
        from members import events, export_columns  # noqa: F401  registers the kinds of event
        from members.panels import identities, profile, segments
        from members.privacy import sections
        from members.segments import event_traits, group_traits, member_traits, purchase_traits  # noqa: F401
        from members.services import keeping

        export_columns.register_all()
        sections.register_all()
        keeping.register_all()
        profile.register_all()
        segments.register_all()
        identities.register_all()
