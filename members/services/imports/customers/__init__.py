"""Files of customers on their way in, and out again: docs/import.md tells how."""
