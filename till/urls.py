from django.urls import path

from till.views import brought, find, member, purchase, rewards, tell

app_name = "till"
urlpatterns = [
    path("", find.start, name="start"),
    path("store/", find.choose_store, name="store"),
    path("undo/", member.take_back, name="undo"),
    path("member/<int:member_id>/", purchase.show, name="member"),
    path("member/<int:member_id>/benefit/", member.benefit, name="benefit"),
    path("member/<int:member_id>/plans/", member.plans, name="plans"),
    path("member/<int:member_id>/brought/", brought.brought, name="brought"),
    path("member/<int:member_id>/tell/", tell.tell, name="tell"),
    path("member/<int:member_id>/rewards/", rewards.shelves, name="rewards"),
    path("member/<int:member_id>/rewards/<int:reward_id>/", rewards.take, name="reward"),
    path("redemption/<int:redemption_id>/", rewards.hand_over, name="redemption"),
]
