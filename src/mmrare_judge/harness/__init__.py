"""This package inside other harnesses: one module a harness, each with an extra of its own.

Comes in: what the harness holds (a data frame, a test case, a sample with its output) and the item
it belongs to. Goes out: scores, reasons and metadata in the harness's own form; a failure is shown
as the harness shows failures and is never 0. Start with `grader`, which all of them share. Nothing
here is imported unless it is used.
"""
