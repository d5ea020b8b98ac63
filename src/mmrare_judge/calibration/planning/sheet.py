"""Labelling sheets: what clinicians fill in, and the probabilities that belong to it."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mmrare_judge.calibration.gold.labels import Unit
from mmrare_judge.calibration.planning.draw import LabelSample
from mmrare_judge.data.cells import absent, identifier
from mmrare_judge.data.tables import Row, stream_rows
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.run.folder import write_whole

UNIT = ("item", "system", "criterion")
GOLD = (*UNIT, "cluster", "inclusion", "rater", "label")
"""The columns of a sheet, in the long layout that `read_gold` reads."""


def write_sheet(
    sample: LabelSample,
    path: Path,
    *,
    rater: str = "",
    key: Path | None = None,
    labelled: Collection[Unit] = (),
    texts: Mapping[tuple[str, str], str] | None = None,
) -> int:
    """Write a sheet to be labelled, as CSV: never with anything that the judge said.

    Args:
        sample: What to label.
        path: The sheet; it must not exist, for there may be labels in it.
        rater: Who labels; otherwise the column stays blank, for the rater to fill in.
        key: Where to put the probabilities instead, with all units of the sample. A probability
            tells a little of the judge: units that it doubts, and rare levels, have greater ones.
        labelled: Units that were labelled before, and are left out.
        texts: By item and system the prediction, to be shown.

    Returns:
        How many rows the sheet has.

    Raises:
        InputError: A unit that was labelled before is not in the sample, or has no text.
        OutputError: A file exists, or cannot be written.
    """
    _check_labelled(sample, labelled)
    _check_absent(path)
    shown = [one for one in sample.units if one.unit not in labelled]
    rows = [
        dict(zip(UNIT, one.unit, strict=True))
        | {"cluster": one.cluster, "inclusion": repr(one.inclusion), "rater": rater, "label": ""}
        | ({} if texts is None else {"prediction": _shown(one.unit, texts)})
        for one in shown
    ]
    columns = [*GOLD, *(() if texts is None else ("prediction",))]
    if key is not None:
        _check_absent(key)
        columns.remove("inclusion")
        chances = ([*one.unit, repr(one.inclusion)] for one in sample.units)
        columns_of_key = [*UNIT, "inclusion"]
        _write(
            key, columns_of_key, (dict(zip(columns_of_key, row, strict=True)) for row in chances)
        )
    _write(path, columns, rows)
    return len(rows)


def join_labels(files: Sequence[Path], key: Path, out: Path) -> int:
    """Join filled-in sheets, of one rater or several, with the probabilities of their key.

    Sheets of earlier, smaller samples with the same seed join too: the latest key holds for all.
    Rows that nobody has come to are left out.

    Args:
        files: The sheets.
        key: The key of the last sample.
        out: The gold file to write, as CSV; it must not exist.

    Returns:
        How many labels there are.

    Raises:
        InputError: A labelled unit is not in the key, or a file cannot be read.
        OutputError: The file exists, or cannot be written.
    """
    _check_absent(out)
    chances = {unit: row.values.get("inclusion") for unit, row in _rows(key)}
    joined = []
    for file in files:
        for unit, row in _rows(file):
            if _blank(row, "label"):
                continue
            if unit not in chances:
                problem = f"{' / '.join(unit)} was labelled and is not in {key}"
                remedy = "Take the key of the last sample, drawn with the same seed"
                raise InputError(problem, remedy=remedy, file=str(file), row=row.number)
            joined.append({**row.values, "inclusion": chances[unit]})
    _write(out, GOLD, joined)
    return len(joined)


def labelled_units(files: Iterable[Path]) -> frozenset[Unit]:
    """The units that have a label in these sheets or gold files.

    Raises:
        InputError: A file cannot be read, or has no such columns.
    """
    return frozenset(
        unit for file in files for unit, row in _rows(file) if not _blank(row, "label")
    )


def _rows(file: Path) -> Iterator[tuple[Unit, Row]]:
    for row in stream_rows(file):
        missing = [name for name in UNIT if name not in row.values]
        if missing:
            problem = f"no column {missing[0]!r}; there are {', '.join(row.values)}"
            raise InputError(problem, file=str(file), row=row.number, field=missing[0])
        item, criterion = (identifier(row.values[name], name) for name in ("item", "criterion"))
        system = "" if _blank(row, "system") else identifier(row.values["system"], "system")
        yield (item, system, criterion), row


def _blank(row: Row, column: str) -> bool:
    cell = row.values.get(column)
    return absent(cell) or str(cell).strip() == ""


def _check_labelled(sample: LabelSample, labelled: Collection[Unit]) -> None:
    lost = sorted(set(labelled) - {one.unit for one in sample.units})
    if lost:
        raise InputError(
            f"{' / '.join(lost[0])} was labelled and is not in this sample, nor are "
            f"{len(lost) - 1} more",
            remedy="Draw with the same grades, seed and options and no smaller budget; labels of "
            "units that were picked otherwise have no known probability",
        )


def _check_absent(path: Path) -> None:
    if path.exists():
        raise OutputError(f"{path} exists already and may hold labels; name another file")


def _shown(unit: Unit, texts: Mapping[tuple[str, str], str]) -> str:
    """A prediction that a spreadsheet takes for text: it is not to be trusted with a formula."""
    text = texts.get(unit[:2])
    if text is None:
        problem = f"there is no prediction of system {unit[1]!r} for item {unit[0]!r}"
        raise InputError(problem, remedy="Pass the predictions that were graded")
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    stream = io.StringIO()
    table = csv.DictWriter(stream, columns, extrasaction="ignore", restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_whole(path, stream.getvalue().removesuffix("\n"))
