"""One question about a judge a module: the ceiling, an annotator test, bias, confidence, scores.

In: `Ratings`, or the judge's points, the gold and the cases as vectors. Out: a record with
estimates, or the reason why there is none. Start reading at `ceiling` (how well do clinicians
agree, and the judge beside them) and at `correction` (what is the benchmark score, corrected).
"""
