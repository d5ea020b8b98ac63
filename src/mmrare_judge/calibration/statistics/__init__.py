"""Numbers from labels: estimates with intervals, and nothing else. Pure.

In: `ratings.Ratings` (who gave which label to what), or plain vectors with cluster codes. Out: an
`estimate.Estimate` with its interval, or the reason why there is none. Start reading at `table`:
one row a statistic; its formula stands in `coefficients`, its interval comes from `bootstrap`.
`proportions` and `regression` serve shares and differences.
"""
