"""The report of a study: what it is made of, and how it is rendered."""
