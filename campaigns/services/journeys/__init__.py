"""Journeys: publishing them, letting members in, moving them on, and answering why. docs/journeys.md."""
