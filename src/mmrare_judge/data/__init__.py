"""Items and predictions, as records and out of files.

Comes in: TSV, CSV, XLSX, JSONL or JSON files, mappings, pandas rows. Goes out: `Item` with its
`Reference`, `Prediction`, and the two joined by `pair_up`. Start with `items` and `predictions`;
`tables` streams rows out of files, `cells` reads one cell.
"""
