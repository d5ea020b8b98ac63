"""A rubric: what a judge decides on.

Comes in: a name of a built-in rubric or a YAML file. Goes out: `Rubric` with its `Criterion`s and
`Level`s, checked, or a `RubricError` with file, line and remedy. Start with `model.Rubric`. The
YAML files of the built-in rubrics stand in the top-level folder ``rubrics/``.
"""
