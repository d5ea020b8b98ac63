"""Clinicians' labels: read, checked, described, and taken together.

In come files or records of labels and the scales of a rubric; out goes `Gold`, in which every label
is on its scale, and from it a data card or a consensus. Start with `read_gold` in `reading` and
`Gold` in `labels`; `exports` lays out what other programs write, `spelling` says which labels mean
the same, `judge` has the judge's side of the comparison and joins both.
"""
