"""Which column holds what, and how its dates and amounts are written: proposed from the file, decided by a person."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from members.enums import DateOrder, DecimalMark, ImportField
from members.import_problems import FileRefused
from members.services.imports.cells import WHO, read_date
from members.services.imports.reading import Row, detect_delimiter, detect_encoding, first_rows

SAMPLE = 1000
NEEDED = (ImportField.PURCHASED_AT, ImportField.AMOUNT)
_NAMES = {
    ImportField.CUSTOMER: """customer, customer id, customer no, customer number, customer code, cust id, client,
        client id, buyer id, user id, member id, kunde, kundennummer, 客户, 客户号, 客户编号, 顾客编号, 会员编号,
        会员id, 用户id""",
    ImportField.CARD: "card, card no, card number, loyalty card, membership card, 卡号, 会员卡, 会员卡号",
    ImportField.EMAIL: "email, e mail, mail, email address, customer email, 邮箱, 电子邮件, 电子邮箱",
    ImportField.PHONE: """phone, phone number, mobile, mobile number, tel, telephone, 电话, 手机, 手机号, 手机号码,
        联系电话""",
    ImportField.NAME: "name, customer name, full name, client name, 姓名, 客户姓名, 顾客姓名, 会员姓名, 客户名称",
    ImportField.PURCHASED_AT: """date, purchased at, purchase date, order date, transaction date, invoice date,
        sale date, datetime, timestamp, time, paid at, created at, datum, 日期, 时间, 购买日期, 购买时间, 消费日期,
        消费时间, 交易日期, 交易时间, 下单时间, 订单日期, 支付时间""",
    ImportField.AMOUNT: """amount, total, total amount, order total, price, value, dollar value, revenue, sales,
        paid, sum, betrag, 金额, 总额, 总金额, 消费金额, 订单金额, 实付金额, 支付金额, 交易金额""",
    ImportField.CURRENCY: "currency, currency code, währung, 币种, 货币",
    ImportField.KEY: """key, receipt, receipt no, receipt number, receipt id, order, order id, order no, order number,
        invoice, invoice no, invoice number, transaction id, purchase id, reference, bon, beleg, 单号, 订单号, 订单编号,
        小票号, 流水号, 交易号, 交易流水号""",
    ImportField.STORE: "store, shop, branch, store name, location, filiale, 门店, 店铺, 商店, 门店名称",
    ImportField.CHANNEL: "channel, sales channel, 渠道, 销售渠道",
    ImportField.PRODUCT: "product, product name, item, article, description, 商品, 商品名称, 产品, 品名",
    ImportField.CATEGORY: "category, product category, department, 类别, 分类, 品类, 商品类别",
    ImportField.BRAND: "brand, brand name, manufacturer, marke, 品牌",
    ImportField.QUANTITY: "quantity, qty, units, pieces, number of cds, 数量, 件数",
}
_KNOWN: dict[str, str] = {name: field for field, names in _NAMES.items() for name in re.split(r",\s*", names)}


@dataclass(slots=True)
class Layout:
    """How to read a file. `columns` are its names, or empty names; what is not yet decided is None."""

    encoding: str
    delimiter: str
    header: bool
    columns: list[str]
    date_order: str | None = None
    decimal_mark: str | None = None
    last_row_whole: bool = True

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Look:
    """A first look into a file: its layout and mapping as proposed, and its first rows."""

    layout: Layout
    mapping: dict[str, int]
    rows: list[Row] = field(default_factory=list)


def look_at(
    file: IO[bytes], *, encoding: str | None = None, delimiter: str | None = None, header: bool | None = None
) -> Look:
    """Proposes how to read the file; what is given is taken as given. FileRefused where it is no such file."""
    encoding = encoding or detect_encoding(file)
    delimiter = delimiter or detect_delimiter(file, encoding)
    layout, rows = read_start(file, encoding, delimiter, header, looks_like_date)
    mapping = by_name(layout.columns, _KNOWN) if layout.header else _by_content(rows, len(layout.columns))
    look = Look(layout, mapping, rows)
    propose_formats(look)
    return look


def read_start(
    file: IO[bytes], encoding: str, delimiter: str, header: bool | None, is_data: Callable[[str], bool]
) -> tuple[Layout, list[Row]]:
    """The names of the columns and the first rows. Where nobody says, a first row with a cell that `is_data` is no
    header. FileRefused where there are no rows."""
    rows = first_rows(file, encoding, delimiter, SAMPLE)
    if not rows:
        raise FileRefused("empty")
    if header is None:
        header = not any(is_data(cell) for cell in rows[0].cells)
    if header:
        columns = [cell.replace("\0", "").strip() for cell in rows[0].cells]
        rows = rows[1:]
        while columns and not columns[-1] and not any(row.cells[len(columns) - 1 :] for row in rows):
            columns.pop()
    else:
        columns = [""] * Counter(len(row.cells) for row in rows).most_common(1)[0][0]
    if not rows:
        raise FileRefused("no_rows")
    return Layout(encoding, delimiter, header, columns), rows


def propose_formats(look: Look) -> None:
    """Sets the layout's order of dates and decimal mark, as far as the columns now mapped leave no doubt."""
    dates, amounts = values_of(look, ImportField.PURCHASED_AT), values_of(look, ImportField.AMOUNT)
    look.layout.date_order = detect_date_order(dates)
    look.layout.decimal_mark = detect_decimal_mark(amounts)


def values_of(look: Look, of: ImportField) -> list[str]:
    """The cells of a field in the first rows; none where no column is mapped to it."""
    column = look.mapping.get(of)
    if column is None:
        return []
    return [row.cells[column] for row in look.rows if column < len(row.cells) and row.cells[column].strip()]


def detect_date_order(values: Iterable[str]) -> DateOrder | None:
    """The one order in which most of these dates exist, if others do not do nearly as well; else None."""
    counts: Counter[DateOrder] = Counter()
    for value in values:
        readable = [order for order in DateOrder if read_date(value, order) is not None]
        if len(readable) == 1:
            counts[readable[0]] += 1
        elif readable:
            # 3.4.2024 is written by those who put the day first; a slash tells nothing.
            counts[DateOrder.DMY] += "." in value.strip()[:6]
    if not counts.total():
        return None
    order, clear = counts.most_common(1)[0]
    return order if clear > 0.9 * counts.total() else None


def detect_decimal_mark(values: Iterable[str]) -> DecimalMark | None:
    """The sign before the decimals, as far as these amounts tell; None where "1,234" may be either."""
    counts: Counter[DecimalMark] = Counter()
    unclear = False
    for value in values:
        number = re.sub(r"[^\d.,]", "", value)
        signs = re.findall(r"[.,]", number)
        if not signs:
            continue
        last = signs[-1]
        whole, decimals = number.rsplit(last, 1)
        if len(set(signs)) == 2:
            counts[DecimalMark(last)] += 1
        elif len(signs) > 1:  # 1,234,567
            counts[DecimalMark.COMMA if last == "." else DecimalMark.POINT] += 1
        elif len(decimals) != 3 or not 1 <= len(whole) <= 3 or whole == "0":
            counts[DecimalMark(last)] += 1
        else:
            unclear = True
    if counts:
        return counts.most_common(1)[0][0]
    return None if unclear else DecimalMark.POINT


def check(layout: Layout, mapping: Mapping[str, int], look: Look) -> None:
    """FileRefused where something still has to be decided before the file can be read."""
    missing: list[str] = [needed for needed in NEEDED if needed not in mapping]
    if not any(who in mapping for who in WHO):
        missing.insert(0, ImportField.CUSTOMER)
    if missing:
        raise FileRefused("columns_missing", fields=missing)
    look.mapping = dict(mapping)
    if layout.date_order is None:
        dates = values_of(look, ImportField.PURCHASED_AT)
        unreadable = [v for v in dates if all(read_date(v, order) is None for order in DateOrder)]
        if len(unreadable) == len(dates):
            raise FileRefused("dates_unreadable", value=dates[0].strip()[:60] if dates else "")
        raise FileRefused("dates_unclear", value=next(v for v in dates if v not in unreadable).strip())
    if layout.decimal_mark is None:
        raise FileRefused("decimals_unclear", value=values_of(look, ImportField.AMOUNT)[0].strip()[:60])


def mapping_from(pairs: Iterable[tuple[str, str]], columns: Sequence[str]) -> dict[str, int]:
    """Field → column number from 0, of pairs of a field and a column's name or number from 1. FileRefused: no such."""
    mapping = {}
    names = [plain_name(name) for name in columns]
    for name, column in pairs:
        if name not in ImportField.values:
            raise FileRefused("field_unknown", field=name, fields=list(ImportField.values))
        if column.isdigit() and 1 <= int(column) <= len(columns):
            mapping[name] = int(column) - 1
        elif plain_name(column) in names:
            mapping[name] = names.index(plain_name(column))
        else:
            shown = [name or str(i) for i, name in enumerate(columns, 1)]
            raise FileRefused("column_unknown", column=column, columns=", ".join(shown))
    return mapping


def plain_name(name: str) -> str:
    """A column's name without what only decorates it."""
    return re.sub(r"[\s_\-.:/#()（）]+", " ", name).strip().lower()


def by_name(columns: Sequence[str], known: Mapping[str, str]) -> dict[str, int]:
    """Field → column, by the names that files use; of two columns for one field the first."""
    mapping: dict[str, int] = {}
    for i, name in enumerate(columns):
        found = known.get(plain_name(name))
        if found:
            mapping.setdefault(found, i)
    return mapping


def _by_content(rows: Sequence[Row], width: int) -> dict[str, int]:
    """A guess for a file without names: it is shown to be corrected, never used unseen."""
    mapping: dict[str, int] = {}
    cells = [[row.cells[i].strip() for row in rows if i < len(row.cells)] for i in range(width)]
    for i, column in enumerate(cells):
        if most(column, looks_like_date):
            mapping.setdefault(ImportField.PURCHASED_AT, i)
        elif most(column, lambda cell: "@" in cell):
            mapping.setdefault(ImportField.EMAIL, i)
        elif most(column, lambda cell: re.search(r"\d[.,]\d\d\D?$", cell) is not None):
            mapping[ImportField.AMOUNT] = i
        elif not mapping and most(column, str.isalnum):
            mapping[ImportField.CUSTOMER] = i
    return mapping


def most(cells: Sequence[str], test: Any) -> bool:
    """Whether a test holds for nearly all filled cells."""
    filled = [cell for cell in cells if cell]
    return bool(filled) and sum(map(bool, map(test, filled))) > 0.8 * len(filled)


def looks_like_date(cell: str) -> bool:
    """Whether a cell is a date of our times in any order."""
    return any((moment := read_date(cell, order)) is not None and moment.year >= 1970 for order in DateOrder)
