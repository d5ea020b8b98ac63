"""A study: from grades and gold to a verdict, and to the files that say it.

In come one judge's grades, the clinicians' labels and what was decided beforehand (`StudyOptions`,
or a `StudyFile` in YAML); out comes a `Study`, its report and its certificate. Start at
`study.calibrate`: `inputs` joins grades and gold into a table a criterion, `findings` measures,
`verdict` decides, `account` tells the rest.
"""
