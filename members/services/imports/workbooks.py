"""Rows of the first sheet of an Excel workbook (XLSX), one by one.

openpyxl keeps all shared texts and a trace of every row in memory, which a workbook may blow up at will. Here the sheet
and its shared texts are parsed piece by piece, the texts lie on disk, and only as many are read as the rows ask for.
"""

import array
import tempfile
import zipfile
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import IO, Any
from xml.etree import ElementTree
from xml.parsers import expat

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel

from members.import_problems import FileRefused
from members.services.imports.reading import MAX_CHARACTERS, Row

BLOCK = 1 << 16
MAX_PARTS = 5_000  # files inside the workbook
MAX_BYTES = 4_000_000_000  # of a part, unpacked
MAX_SMALL = 20_000_000  # of a part that is read as a whole
MAX_RATIO = 200  # unpacked to packed: what is beyond it, and large, is a bomb
MAX_COLUMNS = 16_384
MAX_FORMULA = 100  # pieces of it: enough to be recognised by
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def is_workbook(file: IO[bytes]) -> bool:
    """Whether these bytes are an XLSX workbook."""
    try:
        with zipfile.ZipFile(file) as parts:
            return "xl/workbook.xml" in parts.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def read_workbook(file: IO[bytes]) -> Iterator[Row]:
    """Every row of the first sheet that is not blank. FileRefused where it is damaged or a bomb."""
    try:
        with zipfile.ZipFile(file) as parts:
            _measure(parts)
            yield from _Sheet(parts).rows()
    except (zipfile.BadZipFile, expat.ExpatError, ElementTree.ParseError, KeyError, EOFError, ValueError) as error:
        raise FileRefused("workbook_damaged") from error


def _measure(parts: zipfile.ZipFile) -> None:
    # What a part claims to hold is the most that zipfile unpacks of it.
    infos = parts.infolist()
    for info in infos:
        bomb = info.file_size > MAX_SMALL and info.file_size > MAX_RATIO * max(1, info.compress_size)
        if bomb or info.file_size > MAX_BYTES:
            raise FileRefused("workbook_bomb")
    if len(infos) > MAX_PARTS:
        raise FileRefused("workbook_bomb")


def _small(parts: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if parts.getinfo(name).file_size > MAX_SMALL:
        raise FileRefused("workbook_bomb")
    data = parts.read(name)
    if b"<!DOCTYPE" in data[:1000] or b"<!ENTITY" in data:
        raise FileRefused("workbook_bomb")
    return ElementTree.fromstring(data)  # noqa: S314  without entities there is nothing to expand


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


class _Parser:
    """Feeds a part to expat a block at a time. Subclasses answer to the ends of elements."""

    def __init__(self, part: IO[bytes]) -> None:
        self._part = part
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = lambda tag, attributes: self.start(_local(tag), attributes)
        self._parser.EndElementHandler = lambda tag: self.end(_local(tag))
        self._parser.CharacterDataHandler = self.text
        self._parser.StartDoctypeDeclHandler = self._no_doctype

    def _no_doctype(self, *args: Any) -> None:
        raise FileRefused("workbook_bomb")

    def feed(self) -> bool:
        """Parses the next block; whether there was one."""
        block = self._part.read(BLOCK)
        self._parser.Parse(block, not block)
        return bool(block)

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...

    def end(self, tag: str) -> None: ...

    def text(self, text: str) -> None: ...


class _Texts(_Parser):
    """The texts that cells share: on disk, and read from the workbook no further than asked for."""

    def __init__(self, part: IO[bytes]) -> None:
        super().__init__(part)
        self._store = tempfile.SpooledTemporaryFile(max_size=8_000_000)  # noqa: SIM115  gone with this object
        self._ends = array.array("Q", [0])
        self._words: list[str] = []
        self._in_text = self._in_reading = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._in_text = tag == "t"
        self._in_reading = self._in_reading or tag == "rPh"  # how a Chinese or Japanese word is pronounced

    def text(self, text: str) -> None:
        if self._in_text and not self._in_reading:
            self._words.append(text)

    def end(self, tag: str) -> None:
        self._in_text = False
        if tag == "rPh":
            self._in_reading = False
        elif tag == "si":
            data = "".join(self._words)[: MAX_CHARACTERS + 1].encode()
            self._words.clear()
            self._store.seek(self._ends[-1])
            self._store.write(data)
            self._ends.append(self._ends[-1] + len(data))

    def __getitem__(self, i: int) -> str:
        while len(self._ends) <= i + 1:
            if not self.feed():
                raise ValueError(f"no shared text {i}")
        self._store.seek(self._ends[i])
        return self._store.read(self._ends[i + 1] - self._ends[i]).decode()


class _Sheet(_Parser):
    def __init__(self, parts: zipfile.ZipFile) -> None:
        book = _small(parts, "xl/workbook.xml")
        self._epoch = CALENDAR_WINDOWS_1900
        sheet = None
        for element in book.iter():
            if _local(element.tag) == "workbookPr" and element.get("date1904") in ("1", "true"):
                self._epoch = CALENDAR_MAC_1904
            elif _local(element.tag) == "sheet" and sheet is None:
                sheet = element.get(_RELATION)
        links = {e.get("Id"): e.get("Target", "") for e in _small(parts, "xl/_rels/workbook.xml.rels")}
        target = links[sheet].lstrip("/")
        super().__init__(parts.open(target if target.startswith("xl/") else f"xl/{target}"))
        names = set(parts.namelist())
        self._texts = _Texts(parts.open("xl/sharedStrings.xml")) if "xl/sharedStrings.xml" in names else None
        self._dates = _date_styles(_small(parts, "xl/styles.xml")) if "xl/styles.xml" in names else []
        self._ready: list[Row] = []
        self._number = 0
        self._cells: list[str] = []
        self._problem = ""
        self._column = -1
        self._kind, self._style = "n", 0
        self._value: list[str] = []
        self._length = 0
        self._taking = self._in_formula = False
        self._formula: list[str] | None = None

    def rows(self) -> Iterator[Row]:
        more = True
        while more:
            more = self.feed()
            yield from self._ready
            self._ready.clear()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            self._column = _column(attributes["r"]) if "r" in attributes else self._column + 1
            self._kind, self._style = attributes.get("t", "n"), int(attributes.get("s", 0))
            self._value, self._length = [], 0
            self._formula = None
        elif tag in ("v", "t"):
            self._taking = True
        elif tag == "f":
            self._formula, self._in_formula = [], True
        elif tag == "row":
            self._number = int(attributes.get("r", self._number + 1))
            self._cells, self._column, self._problem = [], -1, ""

    def text(self, text: str) -> None:
        if self._taking and self._length <= MAX_CHARACTERS:
            self._value.append(text)
            self._length += len(text)
        elif self._in_formula and self._formula is not None and len(self._formula) < MAX_FORMULA:
            self._formula.append(text)

    def end(self, tag: str) -> None:
        if tag in ("v", "t"):
            self._taking = False
        elif tag == "f":
            self._in_formula = False
        elif tag == "c" and self._formula is not None and not self._value and self._kind != "str":
            # Written by a program that does not calculate (an empty text would be told as one): the formula stands for
            # itself, so that it can be reported.
            self._put(f"={''.join(self._formula)}")
        elif tag == "c" and self._value:
            if self._length > MAX_CHARACTERS:
                self._problem = "row_too_long"
            self._put(self._readable("".join(self._value)))
        elif tag == "row" and (self._problem or any(cell.strip() for cell in self._cells)):
            self._ready.append(Row(self._number, self._cells, self._problem, padded=True))

    def _put(self, value: str) -> None:
        if self._column >= MAX_COLUMNS:
            raise ValueError("more columns than Excel has")
        self._cells.extend([""] * (self._column - len(self._cells)))
        self._cells.append(value)

    def _readable(self, value: str) -> str:
        if self._kind == "s":
            if self._texts is None:
                raise ValueError("no shared texts")
            value = self._texts[int(value)]
        if self._kind in ("s", "inlineStr", "str"):
            return f"'{value}" if value.startswith("=") else value  # a text, not a formula
        if self._kind == "b":
            return "yes" if value == "1" else "no"
        if self._kind != "n":
            return value
        if self._style < len(self._dates) and self._dates[self._style]:
            try:
                moment = from_excel(float(value), self._epoch)
            except (ValueError, OverflowError):
                return value
            return moment.isoformat(" ").removesuffix(" 00:00:00") if hasattr(moment, "isoformat") else value
        try:
            number = Decimal(value)
        except InvalidOperation:
            return value
        if not number.is_finite() or abs(number.adjusted()) > 30:
            return value
        if len(number.as_tuple().digits) > 15:  # 0.1 + 0.2: a spreadsheet shows fifteen digits
            number = Decimal(f"{number:.14E}")
        text = f"{number:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


def _column(reference: str) -> int:
    column = 0
    for sign in reference:
        if not sign.isalpha():
            break
        column = column * 26 + ord(sign.upper()) - 64
    return column - 1


def _date_styles(styles: ElementTree.Element) -> list[bool]:
    """Whether the cells of each style show dates."""
    own: dict[int, str] = {}
    cells: list[int] = []
    for element in styles.iter():
        if _local(element.tag) == "numFmt":
            own[int(element.get("numFmtId", 0))] = element.get("formatCode", "")
        elif _local(element.tag) == "cellXfs":
            cells = [int(style.get("numFmtId", 0)) for style in element]
    return [bool(is_date_format(own.get(number, BUILTIN_FORMATS.get(number, "")))) for number in cells]
