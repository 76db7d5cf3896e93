"""Chinese texts of today group digits by three, as all others do; Django has no separator, and groups of four."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
