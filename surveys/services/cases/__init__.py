"""Cases: opened, talked about, put right, and their causes done away with. docs/cases.md."""
