from analytics.enums import Group
from analytics.rules import ADVICE, MAP, SCORES, cells_of, group_of, value_of


def test_each_of_the_25_cells_has_exactly_one_name_and_every_name_is_used():
    named = [cell for group in Group for cell in cells_of(group)]
    assert sorted(named) == [(recency, value) for recency in SCORES for value in SCORES]
    assert sorted(MAP) == list(SCORES)
    assert all(len(names) == 5 for names in MAP.values())
    assert all(cells_of(group) for group in Group)
    assert ADVICE.keys() == set(Group)


def test_the_corners_mean_what_they_say():
    assert group_of(5, 5) == Group.CHAMPIONS
    assert group_of(1, 1) == Group.LOST
    assert group_of(5, 1) == Group.NEW
    assert group_of(1, 5) == Group.CANNOT_LOSE


def test_value_is_the_mean_with_halves_upwards():
    assert [value_of(*pair) for pair in ((1, 1), (1, 2), (2, 4), (4, 5), (5, 5))] == [1, 2, 3, 5, 5]
