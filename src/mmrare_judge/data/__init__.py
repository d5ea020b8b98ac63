"""Items and predictions, as records and out of files.

Comes in: TSV, CSV, XLSX, JSONL or JSON files, mappings, pandas rows. Goes out: `Item` with its
`Reference`, `Prediction`, and the two joined by `pair_up`. Start with `items` and `predictions`;
`tables` streams rows out of files and refuses hostile ones, `cells` reads one cell, `damage` tells
what stands for no answer, `joining` joins ids in other spellings.
"""
