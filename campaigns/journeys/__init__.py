"""What a journey may say, what is wrong with it, how it looks, and what time makes of it. Nothing here asks the
database; docs/journeys.md."""
