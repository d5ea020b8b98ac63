"""Several gradings of one prediction joined into one decision.

In come the `Grade`s of one prediction, by several judges or repeats of one, and a rubric; out comes
a `Panel`. Many panels become figures: what was decided, how far the judges disagree, how many
independent judges they amount to. Nothing here reads or writes files. Start reading in `panel.py`
with `aggregate`; the figures are in `report.py`.
"""
