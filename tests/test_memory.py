"""What loading takes: one row's images at a time, never those of all rows."""

import json
import tracemalloc
from pathlib import Path

import pytest

from mmrare_judge import read_items

IMAGE = 2_000_000  # characters of base64 in a row, about 1.4 MiB of image
ROWS = 24


def _row(number: int) -> dict[str, str]:
    image = json.dumps(["A" * IMAGE])
    return {"index": str(number), "image": image, "question": "Dx?", "answer": "Fabry disease"}


def _write(path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".tsv":
            file.write("index\timage\tquestion\tanswer\tanswer_aliases\n")
        for number in range(ROWS):
            row = _row(number)
            cells = [f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row.values()]
            line = json.dumps(row) if path.suffix == ".jsonl" else "\t".join([*cells, ""])
            file.write(line + "\n")
    return path


@pytest.mark.parametrize("name", ["items.tsv", "items.jsonl"])
def test_images_of_rows_that_were_read_are_not_kept(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path / name)
    tracemalloc.start()
    try:
        items = read_items(path, track="diagnosis")
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(items) == ROWS
    assert kept < IMAGE  # 24 images of 2 MB are 48 MB
    assert peak < 10 * IMAGE  # a cell is held a few times while it is parsed, at 1 byte or 4
