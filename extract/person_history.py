"""What a HIS knows of persons who come from elsewhere, such as those of a workbook: their first diagnoses."""

import re
from collections.abc import Iterator, Sequence
from datetime import date

import pandas as pd

from core.errors import MophClaimError
from core.messages import Message
from extract import contract
from extract.contract import TEXT, Kind, Wanted
from extract.query_plan import Step, explain
from extract.reader import Reader, integers
from extract.values import column

FILE = "persons.sql"
"""The statement. A HIS's folder need not have it."""
COLUMNS: dict[str, Kind] = {"hn": "text", "cid": "text", "icd10": "text", "dx_date": "date"}
PERSONS_A_STATEMENT = 200
"""Each has few numbers, but a chronic patient has hundreds of visits."""

NO_FILE = Message(
    "โฟลเดอร์ SQL ของ HIS ไม่มีไฟล์ persons.sql การนำเข้าไฟล์ Excel จึงไม่ได้ตรวจกับ HIS ว่าเคยได้รับการวินิจฉัยมาก่อนหรือไม่ "
    "กรุณาเพิ่มไฟล์ตาม docs/new-his.md",
    "The HIS's SQL folder has no persons.sql, so an import of a workbook does not ask the HIS whether a person was diagnosed "
    "before: add the file as docs/new-his.md says.",
)
NOT_BY_IDENTITY = Message(
    "HIS ค้นคนด้วยเลขประจำตัวประชาชนไม่ได้โดยไม่อ่านทั้งตาราง (ไม่มีดัชนี) การนำเข้าไฟล์ Excel จึงตรวจการวินิจฉัยก่อนหน้าด้วย HN เท่านั้น",
    "The HIS cannot find a person by identity number without reading the whole table (there is no index), so an import of a "
    "workbook asks for earlier diagnoses by hospital number alone.",
)


def gap(reader: Reader) -> Message | None:
    """What of persons cannot be asked in this database, as a sentence; None if nothing.

    Raises:
        ConfigurationError: The file cannot be used.
        SourceError: The database cannot be read.
    """
    if not reader.statements.path(FILE).is_file():
        return NO_FILE
    with reader.snapshot():
        statement = reader.query(FILE, lambda: reader.statement(FILE, Wanted()))
    return None if "identity_numbers" in statement.compile().params else NOT_BY_IDENTITY


def check(reader: Reader, day: date, wanted: Wanted) -> list[Step]:
    """Run the statement for a person whom no HIS has, to see whether it can be used.

    Returns:
        The steps of the server's plan that read too much; none where the server does not explain it.

    Raises:
        ConfigurationError: The file cannot be used.
        SourceError: The database cannot be read.
        ContractError: It returns other columns.
    """
    nobody = pd.DataFrame({"hn": ["0"], "cid": ["0" * 13]}, dtype=TEXT)
    first_diagnoses(reader, day, nobody, wanted)
    (parameters,) = _batches(nobody)
    values = reader.parameters(day, wanted) | parameters
    try:
        with reader.snapshot():
            steps = reader.query(FILE, lambda: explain(reader.connection, reader.statement(FILE, wanted), values))
    except MophClaimError:  # the statement itself ran; that this account may not EXPLAIN it is no fault
        return []
    return [step for step in steps or () if step.too_much]


def first_diagnoses(reader: Reader, day: date, persons: pd.DataFrame, wanted: Wanted) -> pd.DataFrame:
    """The first day of each diagnosis of `wanted.first_time_icd10` of these persons; `HisSource.first_diagnoses` says more."""
    rows: list[tuple[object, ...]] = []
    for parameters in _batches(persons) if wanted.first_time_icd10 else ():
        with reader.snapshot():
            names, found = reader.rows(FILE, wanted, reader.parameters(day, wanted) | parameters)
        if wrong := set(names) ^ set(COLUMNS):
            raise contract.broken(str(reader.statements.path(FILE)), wrong)
        rows += [tuple(row[names.index(name)] for name in COLUMNS) for row in found]
    values = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    frame = pd.DataFrame({name: column(of, COLUMNS[name]) for name, of in zip(COLUMNS, values, strict=True)})
    frame["icd10"] = frame["icd10"].str.upper().str.replace(r"[.\s]", "", regex=True)
    return frame.dropna(subset=["icd10", "dx_date"]).sort_values(list(COLUMNS)).reset_index(drop=True)


def _batches(persons: pd.DataFrame) -> Iterator[dict[str, object]]:
    """The persons as the parameters of statements, so many a statement."""
    known = persons[["hn", "cid"]].drop_duplicates().sort_values(["hn", "cid"])
    for start in range(0, len(known), PERSONS_A_STATEMENT):
        some = known.iloc[start : start + PERSONS_A_STATEMENT]
        numbers, identities = askable(some["hn"]), askable(some["cid"])
        yield {
            "persons": numbers,
            "person_numbers": integers(numbers),
            "identity_numbers": [spelling for number in identities for spelling in _spellings(number)],
        }


def askable(numbers: "pd.Series[str]") -> list[str]:
    """The numbers that a HIS may hold, each once: what else was typed, a column of TIS-620 cannot be compared with."""
    return [number for number in dict.fromkeys(numbers.dropna()) if number.isascii()]


def _spellings(number: str) -> Sequence[str]:
    """An identity number in digits, and with the dashes of an identity card."""
    digits = re.sub(r"[-\s]", "", number)
    if len(digits) != 13:
        return [digits]
    return [digits, "-".join((digits[0], digits[1:5], digits[5:10], digits[10:12], digits[12]))]
