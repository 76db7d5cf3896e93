"""Benefits, memberships, and taking back what was done last."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from common.money import format_money
from members.models import Member
from members.queries import get_programme
from members.services.purchases import KeyReused
from rewards.models import Benefit, MembershipPlan
from rewards.queries import balance, points_text
from rewards.queries_benefits import active_memberships, plans_on_sale
from rewards.services.benefits import AppliesByItself, NotEntitled, NothingLeft, refused_words, use_benefit
from rewards.services.ledger import InsufficientPoints
from rewards.services.plans import NotOnSale
from till.forms import BenefitForm, PlanForm, new_key
from till.services.acts import SOURCE, Act, CannotUndo, WasUndone, sell_plan, undo
from till.services.proof import Unproven
from till.views.access import TillRequest, done, in_a_store, last_act, looked_at, member_or_404, page
from till.views.purchase import asked_code, back_to, proof_about


@require_POST
@in_a_store
def benefit(request: TillRequest, member_id: int) -> HttpResponse:
    member, form, at = member_or_404(member_id), BenefitForm(request.POST), timezone.now()
    if not form.is_valid():
        return back_to(member.pk)
    try:
        use = use_benefit(
            member_id=member.pk,
            benefit_id=form.cleaned_data["benefit"],
            source=SOURCE,
            key=f"{form.cleaned_data['key']}:{form.cleaned_data['benefit']}",
            at=at,
            store=request.store,
            actor_id=request.user.pk,
        )
    except (NotEntitled, NothingLeft, AppliesByItself) as error:
        return page(request, "start", {"problem": refused_words(error), "member": member})
    except (KeyReused, Benefit.DoesNotExist):
        return back_to(member.pk)
    if use.undone_at is not None:
        return page(request, "start", {"problem": WasUndone().sentence, "member": member})
    return done(request, Act("benefit", use.pk, use.member_id, at, str(use.benefit)))


@require_http_methods(["GET", "HEAD", "POST"])
@in_a_store
def plans(request: TillRequest, member_id: int) -> HttpResponse:
    """What memberships there are; posted, one is sold. For points with the balance before and after."""
    member, at = member_or_404(member_id), timezone.now()
    if request.method != "POST":
        looked_at(request, member, at)
        return _plans(request, member)
    form = PlanForm(request.POST)
    if not form.is_valid():
        return _plans(request, member)
    pk, with_points = form.cleaned_data["plan"], form.cleaned_data["pay"] == "points"
    chosen = {"chosen": pk, "key": form.cleaned_data["key"]}
    try:
        if request.POST.get("act") == "send":
            return _plans(request, member, **chosen, **asked_code(request, member))
        bought = sell_plan(
            member_id=member.pk,
            plan_id=pk,
            with_points=with_points,
            key=form.cleaned_data["key"],
            word=form.word(),
            at=at,
            actor_id=request.user.pk,
        )
    except InsufficientPoints as short:
        words = _("There are only %(points)s.") % {"points": points_text(short.available)}
        return _plans(request, member, problem=words)
    except WasUndone as error:
        return _plans(request, member, problem=error.sentence)
    except Unproven as error:
        return _plans(request, member, **chosen, unproven=error.sentence, by=error.by)
    except (NotOnSale, MembershipPlan.DoesNotExist):
        return _plans(request, member, problem=_("This membership is not on sale."))
    except KeyReused:
        return back_to(member.pk)
    programme = get_programme()
    price = points_text(bought.paid_points) if with_points else format_money(bought.paid_minor, programme.currency)
    return done(request, Act("plan", bought.pk, bought.member_id, at, f"{bought.plan} · {price}"))


def _plans(request: TillRequest, member: Member, **more: Any) -> HttpResponse:
    at = timezone.now()
    points = balance(member.pk, at)
    offered = [
        {
            "plan": plan,
            "key": more.get("key") if more.get("chosen") == plan.pk else new_key(),
            "after": points - plan.price_points if plan.price_points is not None else None,
            "proof": proof_about(member.pk, plan.price_points or 0),
            "told": more if more.get("chosen") == plan.pk else {},
        }
        for plan in plans_on_sale()
    ]
    held = active_memberships(member.pk, at)
    context = {"member": member, "offered": offered, "held": held, "points": points, "problem": more.get("problem")}
    return page(request, "plans", context)


@require_POST
@in_a_store
def take_back(request: TillRequest) -> HttpResponse:
    """Undoes what this till did last."""
    act, at = last_act(request), timezone.now()
    if act is None or request.POST.get("act_id") != f"{act.kind}:{act.id}":
        return redirect("till:start")
    try:
        undone = undo(act=act, at=at, actor_id=request.user.pk)
    except CannotUndo as error:
        return page(request, "start", {"problem": error.sentence})
    return done(request, undone)
