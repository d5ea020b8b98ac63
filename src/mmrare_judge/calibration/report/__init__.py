"""A study as a page: one HTML file that needs nothing else, and the same as Markdown.

In comes `Findings`, what a study found; out go ``report.html`` and ``report.md``. Start with
`write_reports` in `render`: `sections` says what comes first, `agreement` and `scores` make blocks
of the findings, `plots` and `svg` draw, and the two templates in ``templates/`` say how the blocks
look.
"""
