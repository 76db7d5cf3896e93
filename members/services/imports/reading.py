"""From a file to its rows: which encoding, which delimiter, and one list of cells after the other.

Only a few lines are in memory at any moment, however long the file or however broken its quotes.
"""

import codecs
import csv
import io
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from members.import_problems import FileRefused

ENCODINGS = ("utf-8", "gb18030", "utf-16", "cp1252")
WHITESPACE = " "
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": WHITESPACE}
BLOCK = 1 << 20
MAX_LINES = 50  # of one row: a cell with more line breaks than this is a quotation mark that was never closed
MAX_CHARACTERS = 100_000  # of one line: what is longer is no row of a list
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
WORKBOOK = "xlsx"  # stands for the encoding where a file is a workbook
_ZIP, _OLD_WORKBOOK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_OTHERS = (b"%PDF", b"\x1f\x8b", b"\x89PNG", b"\xff\xd8\xff", b"7z\xbc\xaf", b"Rar!", b"SQLite")


@dataclass(slots=True)
class Row:
    """One row as it stands. `number` counts as a spreadsheet does, from 1, header and blank rows too.

    `problem` is the code of what makes the row unreadable; `whole` is False where the file ends before the row does.
    """

    number: int
    cells: list[str]
    problem: str = ""
    whole: bool = True
    padded: bool = False  # sheets leave empty cells at the end of a row out


def detect_encoding(file: IO[bytes]) -> str:
    """One of ENCODINGS, after reading the whole file: UTF-8 where all of it is, else GB18030; or WORKBOOK.

    FileRefused where it is none of them.
    """
    file.seek(0)
    start = file.read(4096)
    if not start.strip(b"\r\n\t \x00\xef\xbb\xbf\xff\xfe"):
        raise FileRefused("empty")
    if start.startswith(_ZIP):
        from members.services.imports.workbooks import is_workbook

        if is_workbook(file):
            return WORKBOOK
        raise FileRefused("not_text")
    if start.startswith(_OLD_WORKBOOK):
        raise FileRefused("workbook")
    if start.startswith(_OTHERS):
        raise FileRefused("not_text")
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    if start.count(0) > len(start) // 5:
        raise FileRefused("not_text")
    for encoding in ("utf-8", "gb18030"):
        if _decodes(file, encoding):
            return encoding
    raise FileRefused("encoding")


def _decodes(file: IO[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)(ERRORS)
    file.seek(0)
    try:
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _mark_cut_end(error: UnicodeError) -> tuple[str, int]:
    # A file cut off inside its last character is cut off, not of another encoding: its last row will be reported.
    if isinstance(error, UnicodeDecodeError) and error.reason in _CUT:
        return "\N{REPLACEMENT CHARACTER}", error.end
    raise error


_CUT = ("unexpected end of data", "incomplete multibyte sequence", "truncated data")
ERRORS = "strict_to_the_end"
codecs.register_error(ERRORS, _mark_cut_end)


def detect_delimiter(file: IO[bytes], encoding: str, *, alone: bool = False) -> str:
    """The sign by which most of the first rows have the same number of columns, and the most columns.

    `alone`: a single column is enough. FileRefused otherwise.
    """
    if encoding == WORKBOOK:
        return ","
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS.values():
        if alone and delimiter == WHITESPACE:
            continue  # a column of names is one column
        counts = Counter(len(row.cells) for row in first_rows(file, encoding, delimiter, 50) if not row.problem)
        if not counts:
            continue
        columns, rows = counts.most_common(1)[0]
        score = (round(rows / counts.total(), 1), columns)
        # Words are parted by spaces in any text: spaces count only where nothing else parts the columns.
        if columns > 1 and score > best_score and not (delimiter == WHITESPACE and best_score[1] > 1):
            best, best_score = delimiter, score
    if best_score[1] < 2 and not alone:
        raise FileRefused("one_column")
    return best


def first_rows(file: IO[bytes], encoding: str, delimiter: str, limit: int) -> list[Row]:
    """The first rows of a file."""
    rows: list[Row] = []
    for row in read_rows(file, encoding, delimiter):
        rows.append(row)
        if len(rows) == limit:
            break
    return rows


def read_rows(file: IO[bytes], encoding: str, delimiter: str) -> Iterator[Row]:
    """Every row that is not blank. FileRefused where the bytes are not of this encoding."""
    file.seek(0)
    if encoding == WORKBOOK:
        from members.services.imports.workbooks import read_workbook

        yield from read_workbook(file)
        return
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    text = io.TextIOWrapper(file, encoding=codec, errors=ERRORS, newline="")  # type: ignore[arg-type]
    try:
        yield from _rows(text, delimiter)
    except UnicodeError as error:
        raise FileRefused("encoding_chosen", encoding=encoding) from error
    finally:
        text.detach()


def _rows(text: io.TextIOWrapper, delimiter: str) -> Iterator[Row]:
    waiting: deque[str] = deque()  # lines taken for a row with an open quote, to be read again
    number = 0
    while line := waiting.popleft() if waiting else text.readline(MAX_CHARACTERS):
        number += 1
        if len(line) >= MAX_CHARACTERS and line[-1] not in "\r\n":
            while (rest := text.readline(MAX_CHARACTERS)) and rest[-1] not in "\r\n":
                pass
            yield Row(number, [], "row_too_long")
            continue
        if delimiter == WHITESPACE:
            row = Row(number, line.split())
        elif '"' in line:
            row, line = _quoted(number, line, text, waiting, delimiter)
        else:
            row = Row(number, line.rstrip("\r\n").split(delimiter))
        if line[-1] not in "\r\n" and not waiting:
            row.whole = False
        if "\0" in line:
            row.problem = "zero_bytes"
        elif not row.problem and not any(cell.strip() for cell in row.cells):
            continue
        yield row


def _quoted(number: int, line: str, text: io.TextIOWrapper, waiting: deque[str], delimiter: str) -> tuple[Row, str]:
    taken: list[str] = []
    joined = line
    while True:
        try:
            cells = next(csv.reader([joined], delimiter=delimiter, strict=True, skipinitialspace=True))
            return Row(number, cells), joined
        except csv.Error as error:
            more = ""
            if str(error) == "unexpected end of data" and len(taken) < MAX_LINES:
                more = waiting.popleft() if waiting else text.readline(MAX_CHARACTERS)
            if not more:  # this line alone is bad; those after it may be good
                waiting.extendleft(reversed(taken))
                return Row(number, [], "quote"), line
            taken.append(more)
            joined += more
