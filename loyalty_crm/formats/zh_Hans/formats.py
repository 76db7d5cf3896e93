"""Chinese texts of today group digits by three, as all others do; Django by four."""

NUMBER_GROUPING = 3
