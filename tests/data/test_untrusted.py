"""Hostile and broken files are refused in bounded time and memory, with a clear error.

Memory is the peak of a process of its own that reads the file, above what the imports take.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook  # noqa: TID251 - writes the files under test

from mmrare_judge import RubricError, as_item, read_items, read_predictions
from mmrare_judge.data.cells import entries
from mmrare_judge.errors import InputError
from mmrare_judge.rubric.model import parse_rubric

GIGABYTE = 2**30
READ = """
import resource, sys
from pathlib import Path
import openpyxl
from mmrare_judge.data.tables import stream_rows
from mmrare_judge.errors import InputError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    for _ in stream_rows(Path(sys.argv[1])):
        pass
except InputError as error:
    print(error)
else:
    print("read")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def refused(path: Path, *, megabytes: int, seconds: float = 20) -> str:
    """The error for a file, which must come within a bound of memory and time."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True
    )
    said, taken = done.stdout.rstrip().rsplit("\n", 1)
    assert said.startswith(str(path))
    assert int(taken) < megabytes
    assert time.perf_counter() - began < seconds
    return said


def sparse(path: Path, head: str, size: int = GIGABYTE) -> Path:
    """A file of a gigabyte that takes no room: its rest are zeros."""
    with path.open("wb") as stream:
        stream.write(head.encode())
        stream.truncate(size)
    return path


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.jsonl", '{"index": 1, "prediction": "'),
        ("a.csv", "index,prediction\n1,"),
        ("a.csv", 'index,prediction\n1,"'),
        ("a.tsv", ""),
    ],
    ids=["JSON line", "cell", "quoted cell", "header"],
)
def test_a_line_of_a_gigabyte_is_refused_in_under_200_megabytes(
    tmp_path: Path, name: str, head: str
) -> None:
    said = refused(sparse(tmp_path / name, head), megabytes=200)
    assert "more than 64 MiB" in said


def test_a_cell_of_a_gigabyte_over_many_lines_is_refused_in_under_400_megabytes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    line = "x" * 999 + "\n"
    with path.open("w", encoding="utf-8") as stream:
        stream.write('index,prediction\n1,"')
        for _ in range(50):  # as the reader stops before, a twentieth of a gigabyte will do
            stream.write(line * 1000)
    assert "field larger than field limit" in refused(path, megabytes=400)


def test_a_row_of_many_large_cells_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8") as stream:
        stream.write("index,prediction\n")
        for _ in range(40):
            stream.write('"' + "x" * 2_000_000 + "\n" + '",')
    assert "row 2 has more than 64 MiB" in refused(path, megabytes=500)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_line_of_nothing_but_separators_is_refused_in_under_200_megabytes(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_text("[" + "1," * 1_500_000 + "1]", encoding="utf-8")
    assert "1000000 separators" in refused(path, megabytes=200)


def test_a_json_array_of_a_gigabyte_is_refused_before_it_is_read(tmp_path: Path) -> None:
    said = refused(sparse(tmp_path / "a.json", "["), megabytes=10)
    assert "more than 256 MiB" in said
    assert ".jsonl" in said


@pytest.mark.parametrize("deep", [101, 500, 100_000])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_json_nested_deeply_is_refused_with_its_row(tmp_path: Path, name: str, deep: int) -> None:
    path = tmp_path / name
    row = f'{{"index": 1, "question": "?", "answer": "!", "x": {"[" * deep}{"]" * deep}}}'
    path.write_text(f"[{row}]" if name == "a.json" else f"{row}\n", encoding="utf-8")
    began = time.perf_counter()
    for read in (read_predictions, lambda file: read_items(file, track="treatment")):
        with pytest.raises(InputError, match=r"nested|recursion"):
            read(path)
    assert time.perf_counter() - began < 2


def test_a_value_nested_500_deep_in_a_cell_or_in_code_is_refused_or_kept_as_text() -> None:
    nested = "[" * 500 + "]" * 500
    with pytest.raises(InputError, match="looks like JSON and is not"):
        entries(nested, "must_not")
    row = {"index": "1", "question": "?", "answer": "!", "figure_mapping": nested}
    assert as_item(row, track="treatment").metadata["figure_mapping"] == nested
    with pytest.raises(InputError, match="nested more than 100 deep"):
        as_item({**row, "figure_mapping": json.loads(nested)}, track="treatment")


# --- Workbooks


def workbook(path: Path, **parts: str) -> Path:
    """A workbook of one row, with some of its parts replaced."""
    book = Workbook()
    book.worksheets[0].append(["index", "prediction"])
    book.save(path)
    names = {"strings": "xl/sharedStrings.xml", "sheet": "xl/worksheets/sheet1.xml"}
    replaced = {names[part]: text for part, text in parts.items()}
    with zipfile.ZipFile(path) as archive:
        kept = {n: archive.read(n) for n in archive.namelist() if n not in replaced}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**kept, **{n: text.encode() for n, text in replaced.items()}}.items():
            archive.writestr(name, content)
    return path


MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def sheet(rows: str, before: str = "") -> str:
    return f"<worksheet {MAIN}>{before}<sheetData>{rows}</sheetData></worksheet>"


HEADER = '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>2</v></c></row>'


def test_shared_strings_that_unpack_to_far_more_are_refused_unread(tmp_path: Path) -> None:
    strings = f"<sst {MAIN}>" + "<si><t></t></si>" * 8_000_000 + "</sst>"
    path = workbook(tmp_path / "a.xlsx", strings=strings)
    assert path.stat().st_size < 1_000_000
    assert "unpacks to 122 MiB" in refused(path, megabytes=20)


def test_many_parts_that_are_large_together_are_refused_unread(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"xl/media/{number}.png", b"\0" * 15_000_000)
    assert "unpacks to 286 MiB" in refused(path, megabytes=20)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ('<row r="99999999999"><c r="A2"><v>1</v></c></row>', "1048576 rows"),
        ('<row><c r="XFD2"/></row>' * 100_000, "16777216 cells"),
        ('<row r="2"><c r="XFD2"><v>1</v></c></row>', "16384 cells"),
    ],
    ids=["a row far below", "empty cells far right", "a cell far right"],
)
def test_a_sheet_of_huge_dimensions_is_refused_in_under_100_megabytes(
    tmp_path: Path, rows: str, said: str
) -> None:
    path = workbook(
        tmp_path / "a.xlsx", sheet=sheet(HEADER + rows, '<dimension ref="A1:XFD1048576"/>')
    )
    assert said in refused(path, megabytes=100)


def test_entities_that_double_each_other_are_refused(tmp_path: Path) -> None:
    entities = '<!ENTITY a "0123456789">' + "".join(
        f'<!ENTITY {one} "{f"&{before};" * 10}">'
        for before, one in pairwise("abcdefghijklmnopqrstuvwxyz")
    )
    cell = '<row r="1"><c r="A1" t="inlineStr"><is><t>&z;</t></is></c></row>'
    text = f"<!DOCTYPE x [{entities}]>{sheet(cell)}"
    assert "not an Excel workbook" in refused(
        workbook(tmp_path / "a.xlsx", sheet=text), megabytes=100
    )


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "jsonl", "xlsx"])
@given(content=st.binary(max_size=200) | st.text(alphabet='[]{}",:ab1\t\n\r;#_x0D', max_size=80))
def test_any_content_is_read_or_refused_with_its_file(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes | str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    places: set[str | None] = set()
    try:
        places |= {str(path) for _ in read_predictions(path)}
    except InputError as error:
        places.add(error.file)
    assert places == {str(path)}


@given(st.text(alphabet="a: &*[]{}-!|>'\"\n1.<?,#", max_size=120) | st.text(max_size=60))
def test_any_text_is_a_rubric_or_refused_as_one(text: str) -> None:
    with pytest.raises(RubricError):  # no text so short is a rubric
        parse_rubric(text)
