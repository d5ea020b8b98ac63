"""How many labels a calibration study needs, and which units to label.

`sizes` says how many labels make an interval narrow enough, `power` how many a test needs; `sample`
draws a stratified sample with known probabilities from what a judge graded, and writes the sheets
that clinicians fill in. Start with `labels_for_kappa` and `label_next`.
"""
