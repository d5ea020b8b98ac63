"""Real example items and predictions that come with the package."""
