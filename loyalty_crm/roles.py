"""Staff roles: three groups that hold exactly these permissions after each migration. docs/roles.md has the table.

A shop that wants another mix makes a group of its own; these three follow the product.
"""

from django.apps import AppConfig
from django.contrib.auth.management import create_permissions
from django.utils.translation import gettext_noop

MARKETER, TILL, MANAGER = gettext_noop("Marketer"), gettext_noop("Till"), gettext_noop("Manager")

_MARKETER = {
    "members.member": "view add change",
    "members.segment": "view add change",
    "members.memberlist": "view add change",
    "members.persona": "view add change",
    "members.purchase": "view add",
    "members.duplicate": "view change",
    "members.membermerge": "view add change",
    "members.refund": "view",
    "members.consent": "view",
    "members.consentwording": "view add",
    "members.dataexport": "view add",
    "members.attribute": "view add change",
    "members.tag": "view add change",
    "members.membertag": "view add delete",
    "members.note": "view add change",
    "members.task": "view add change",
    "members.household": "view add change",
    "members.timelineevent": "view",
    "members.programme": "view",
    "members.purchaseimport": "view add change",
    "members.customerimport": "view add",
    "members.exportjob": "view add download",
    "members.pendingreaction": "view change",
    "rewards.transfer": "view add",
    "rewards.lot": "view",
    "rewards.earningrule": "view add change",
    "rewards.replay": "view add",
    "rewards.checkinpoint": "view add change",
    "members.customevent": "view",
    "rewards.rewardsettings": "view",
    "rewards.grantrequest": "view add",
    "rewards.tier": "view add change",
    "rewards.offer": "view add change",
    "rewards.coupon": "view change",
    "rewards.couponuse": "view",
    "rewards.couponjob": "view",
    "rewards.reward": "view add change",
    "rewards.rewardprice": "view add change delete",
    "rewards.rewardpicture": "view add change delete",
    "rewards.rewardsession": "view add change",
    "rewards.redemption": "view change",
    "rewards.waitingentry": "view",
    "rewards.tierchange": "view",
    "rewards.reassessment": "view",
    "rewards.benefit": "view add change",
    "rewards.benefituse": "view add",
    "rewards.membershipplan": "view add change",
    "rewards.planmembership": "view add",
    "campaigns.birthdaygreeting": "view add change",
    "campaigns.template": "view add change",
    "campaigns.snippet": "view add change",
    "campaigns.brand": "view change",
    "campaigns.broadcast": "view add change",
    "campaigns.campaignsettings": "view",
    "campaigns.message": "view change",
    "campaigns.sender": "view",
    "campaigns.suppression": "view",
    "campaigns.deliveryevent": "view",
    "campaigns.trackevent": "view",
    "campaigns.campaign": "view",
    "campaigns.journey": "view add change",
    "campaigns.journeyrun": "view add",  # to add one is to start a journey for a member
    "campaigns.occasion": "view add change",
    "campaigns.topic": "view add change",
    "campaigns.cap": "view",
    "campaigns.optinrule": "view",
    "analytics.memberscore": "view",
    "surveys.survey": "view add change",
    "surveys.response": "add",  # to add one is to copy answers from paper
    "surveys.sharedreport": "view add",  # links to a report for people without an account
    "surveys.case": "view add change",
    "surveys.remedy": "add",
    "surveys.improvementaction": "view add change",
    "surveys.suggestion": "view change",
    "surveys.category": "view add change",
    "surveys.rootcause": "view add change",
    "surveys.cannedreply": "view add change",
    "surveys.theme": "view add change",
    "surveys.caserule": "view add change",
    "surveys.caretarget": "view",
    "surveys.openinghours": "view",
    "surveys.holiday": "view",
    "surveys.remedylimit": "view",
    "surveys.caresettings": "view",
    "referrals.programme": "view add change",
    "referrals.referral": "view change",
    "referrals.block": "view add delete",
}
# Role → model → what they may do there. "add" on a transfer is adjusting points, on a refund giving money back,
# on a purchase working at the till page.
ROLES: dict[str, dict[str, str]] = {
    TILL: {"members.member": "view", "members.purchase": "add"},
    MARKETER: _MARKETER,
    MANAGER: {
        **_MARKETER,
        "members.member": "view add change delete",  # to delete a member is to erase them
        "members.accesslog": "view",
        "members.erasurerequest": "view",
        "members.retentionrule": "view change",
        "members.refund": "view add",
        "members.programme": "view add change",
        "rewards.rewardsettings": "view change",
        "rewards.lot": "view change",  # to change a lot is to activate, cancel, extend or bring back points
        "rewards.grantrequest": "view add change",  # to change one is to decide about it
        "rewards.tierlift": "view add",  # to add one is to set a member's tier by hand
        "rewards.planmembership": "view add change",  # to change one is to cancel it
        "members.user": "view add change",
        "auth.group": "view",
        "api.apikey": "view add change",
        "api.answer": "view",
        "campaigns.cap": "view add change",
        "campaigns.sender": "view add change",
        "campaigns.suppression": "view add change",
        "campaigns.optinrule": "view add change",
        # Mail kept on disk holds sign-in codes of everybody.
        "campaigns.outbox": "view",
        "campaigns.broadcast": "view add change approve",
        "campaigns.campaignsettings": "view add change",
        "surveys.response": "add change",  # to change one is to take it out of the figures, or put it back
        "surveys.remedy": "add change",  # to change one is to decide about it
        "surveys.caretarget": "view add change",
        "surveys.openinghours": "view add change delete",
        "surveys.holiday": "view add change delete",
        "surveys.remedylimit": "view add change",
        "surveys.caresettings": "view add change",
    },
}


def grant_roles(app_config: AppConfig, using: str, **kwargs) -> None:
    """After an app's migration: gives the roles the permissions on that app's models, and takes away what is not
    theirs (any more)."""
    from django.contrib.auth.models import Group, Permission

    label = app_config.label
    if label == "auth":  # the groups themselves
        for name in ROLES:
            Group.objects.using(using).get_or_create(name=name)
    if not any(model.startswith(f"{label}.") for role in ROLES.values() for model in role):
        return
    create_permissions(app_config, verbosity=0, using=using)
    of_app = {p.codename: p for p in Permission.objects.using(using).filter(content_type__app_label=label)}
    for name, models in ROLES.items():
        group, _made = Group.objects.using(using).get_or_create(name=name)
        wanted = {
            f"{verb}_{model.partition('.')[2]}"
            for model, verbs in models.items()
            if model.startswith(f"{label}.")
            for verb in verbs.split()
        }
        group.permissions.add(*(of_app[codename] for codename in wanted & of_app.keys()))
        group.permissions.remove(*(p for codename, p in of_app.items() if codename not in wanted))
