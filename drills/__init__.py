"""Bad luck, rehearsed: real processes, a scratch database, and at the end a green verify. ./crm drill lists them."""
