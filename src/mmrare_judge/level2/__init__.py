"""Level 2: what can be verified of a prediction from its words alone, without a model.

Comes in: a prediction, its item, and `Terms` (names that mean the same). Goes out: `Level2` (which
elements of the reference's lists are stated, which must not be), and for the embedded judge one
`Finding` per criterion. Start with `verify.verify`; `rules` holds the embedded judge's rules,
`elements` how one element is looked up, `document` a text read once.
"""
