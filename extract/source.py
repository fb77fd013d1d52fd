"""A hospital database, read into the contract tables: a service day at a time, or named visits again."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd

from core.messages import Message
from core.mojibake import MOJIBAKE
from extract import contract, normalise, person_history
from extract.contract import DayTables, TableName, Wanted
from extract.errors import SourceError
from extract.his_file import NAME as HIS_FILE
from extract.reader import HELPER_COLUMNS, SAME_DAY, VISITS_A_STATEMENT, Reader, gregorian, open_reader, typed_frame
from extract.settings import HisSettings
from extract.site_maps import SiteMaps
from extract.statements import FACILITY
from extract.values import as_text

MISSING_TABLES = Message(
    th="ฐานข้อมูล {at} ไม่มีตารางหรือคอลัมน์ที่จำเป็น: {names} กรุณาตรวจ his.url ว่าเป็นฐานข้อมูลของระบบ {kind} และบัญชีมีสิทธิ์อ่าน",
    en="The database {at} lacks tables or columns that are needed: {names}. "
    "Check that his.url is a {kind} database and that the account may read it.",
)
UNREADABLE_NAME = Message(
    th="อ่านชื่อหน่วยบริการจาก {at} ได้เป็นภาษาต่างดาว ({name}) ชุดอักขระจึงไม่ถูกต้อง ยังไม่ได้อ่านข้อมูลใด "
    "กรุณาตั้งค่า his.stored_charset เป็นชุดอักขระที่เก็บจริง (tis620 หรือ utf8) หรือแก้ค่า his.charset แล้วตรวจด้วย moph-claim his check",
    en="The facility's name reads as {name} ({at}), so the character set is wrong; nothing else was read: set "
    "his.stored_charset to what the text really is in (tis620 or utf8), or mend his.charset, and look with: "
    "moph-claim his check.",
)
NO_FACILITY = Message(
    th="ฐานข้อมูล {at} ไม่ได้บอกรหัสหน่วยบริการ กรุณาตรวจตารางข้อมูลหน่วยบริการของโรงพยาบาล",
    en="The database {at} does not say which facility it belongs to: check its table of the facility.",
)

_CLAIMED = ("vn", "vaccine_code", "his_claim_uid", "his_claim_kinds")
DOSES_WITHOUT_VISIT = "doses_without_visit.sql"
"""The file that counts a day's doses without a visit; a folder need not have it."""

Frames = dict[TableName, pd.DataFrame]
"""The tables of a day, with their helper columns."""
Numbers = Collection[str]
"""Visit numbers."""
Days = Mapping[date, Numbers | None]
"""The visits to read of each service day, each number of one day only; None for all of the day."""


@dataclass(frozen=True)
class Facility:
    """The facility a database belongs to.

    Args:
        hcode: Its code, normally five digits.
        name: Its name, "" if the database has none.
    """

    hcode: str
    name: str


@contextmanager
def open_source(settings: HisSettings, maps: SiteMaps | None = None) -> Iterator["HisSource"]:
    """The configured hospital database, open for reading while the block lasts.

    Args:
        settings: Where it is and how it is read.
        maps: The site's own code maps; None reads those of `settings.maps_folder`.

    Yields:
        A source that reads one service day at a time.

    Raises:
        ConfigurationError: A setting is missing or impossible, or the HIS's SQL is not for such a server.
        SourceError: The database does not answer, or refuses.
    """
    with open_reader(settings, maps) as reader:
        yield HisSource(reader, settings)


class HisSource:
    """An open hospital database. Made by `open_source`.

    Attributes:
        reader: Its statements.

    Args:
        reader: Its statements.
        settings: As configured.
    """

    def __init__(self, reader: Reader, settings: HisSettings) -> None:
        self.reader = reader
        self._settings = settings
        self._statements = reader.statements
        self._complete = False
        self._next_day_at = 0.0

    def missing_tables(self) -> list[str]:
        """Required tables ("ovst") and columns ("ovst.an") that do not exist; empty if all do."""
        return self.reader.missing_tables()

    def facility(self) -> Facility:
        """The facility the database belongs to.

        Raises:
            SourceError: It cannot be read, has no facility code, or its name is mojibake.
        """
        self._require_tables()
        with self.reader.snapshot():
            names, rows = self.reader.rows(FACILITY, Wanted(), {})
        if missing := {"hcode", "hospital_name"} - set(names):
            raise contract.broken(str(self._statements.path(HIS_FILE)), missing)
        facility = dict(zip(names, rows[0], strict=True)) if rows else {}
        hcode = as_text(facility.get("hcode"))
        if hcode is None:
            raise SourceError(NO_FACILITY.fill(at=self.reader.at))
        name = as_text(facility["hospital_name"]) or ""
        if MOJIBAKE.search(name):
            raise SourceError(UNREADABLE_NAME.fill(at=self.reader.at, name=name))
        return Facility(hcode, name)

    def read_day(self, day: date, wanted: Wanted) -> DayTables:
        """The visits of one service day that can become a claim, read in one snapshot.

        Args:
            day: The service day, Gregorian; visits stored with that day in Buddhist years are included.
            wanted: What the wanted kinds of claim need; only visits that have it are read.

        Raises:
            SourceError: The database cannot be read, or not in time.
            ConfigurationError: An SQL file cannot be used.
            ContractError: An SQL file returns other columns than the contract's.
        """
        _, frames = self.read_frames(day, wanted)
        return replace(self._tables(day, frames), doses_without_visit=self._doses_without_visit(day, wanted))

    def read_visits(self, visits: Mapping[date, Numbers], wanted: Wanted) -> Iterator[DayTables]:
        """Named visits as they stand now, with the other visits of the same persons and days: as `read_day` gives them.

        They are read by number, in snapshots of some hundreds of visits with the pause of two days between them. Where
        the HIS's files cannot select by number, the days are read whole.

        Args:
            visits: Visit numbers by the service day under which they were last known, Gregorian.
            wanted: What the wanted kinds of claim need.

        Yields:
            The tables of each service day on which named visits are now, in order, each day once. A visit that is gone,
            or no longer has what is wanted, is in none; nor is one that moves to another day during the reading.

        Raises:
            SourceError: The database cannot be read, or not in time.
            ConfigurationError: An SQL file cannot be used.
            ContractError: An SQL file returns other columns than the contract's.
        """
        days = self._present_days(visits, wanted)
        if self.reader.reads_by_visit(wanted):
            read = (tables for group in _groups(days) for tables in self._read_group(group, wanted))
        else:
            read = (self.read_day(day, wanted) for day in days)
        for tables in read:
            found = _with_persons(tables, days[tables.day])
            if len(found.visits):
                yield found

    def read_frames(self, day: date, wanted: Wanted) -> tuple[Frames, Frames]:
        """The day's unchecked tables with helper columns: as the HIS returns them, and normalised; rows keep their index."""
        with self._snapshot():
            return self._frames({day: None}, wanted)

    def _present_days(self, visits: Mapping[date, Numbers], wanted: Wanted) -> dict[date, set[str]]:
        """The named visits that exist, by the service day on which they are now, in order."""
        with self._snapshot():
            day_of = _service_days(self._table("visits", wanted, visits))
        days: dict[date, set[str]] = {day: set() for day in sorted({*day_of.values()})}
        for vn in {vn for numbers in visits.values() for vn in numbers} & day_of.keys():
            days[day_of[vn]].add(vn)
        return {day: numbers for day, numbers in days.items() if numbers}

    def _read_group(self, named: Mapping[date, Numbers], wanted: Wanted) -> list[DayTables]:
        """The tables of several days, of the named visits and those of the same persons and days, in one snapshot."""
        with self._snapshot():
            day_of = {vn: day for day, numbers in named.items() for vn in numbers}
            for day, numbers in named.items():
                names, rows = self.reader.rows_of_days(SAME_DAY, wanted, {day: numbers})
                if names != ["vn"]:
                    raise contract.broken(str(self._statements.path(SAME_DAY)), {"vn", *names})
                day_of |= {vn: day for (number,) in rows if (vn := as_text(number)) is not None}
            days: dict[date, set[str]] = {day: set() for day in named}
            for vn, day in day_of.items():
                days[day].add(vn)
            # A person's visits of a day belong in one statement; where they are too many for that, the days are read whole.
            fits = len(day_of) <= VISITS_A_STATEMENT
            _, frames = self._frames(days if fits else dict.fromkeys(days), wanted)
        # One that was moved since its day was looked up is left out: its new day may have been given already.
        still = {vn for vn, day in _service_days(frames["visits"]).items() if day == day_of.get(vn)}
        return [self._tables(day, _of_visits(frames, numbers & still)) for day, numbers in days.items()]

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """One snapshot, after the pause since the last."""
        self._require_tables()
        time.sleep(max(0.0, self._next_day_at - time.monotonic()))
        with self.reader.snapshot():
            yield
        self._next_day_at = time.monotonic() + self._settings.day_pause_seconds

    def _frames(self, days: Days, wanted: Wanted) -> tuple[Frames, Frames]:
        his, maps = self._statements.his, self.reader.maps
        raw: Frames = {}
        labs, vaccinations = contract.empty("labs"), contract.empty("vaccinations")
        if wanted.icd10_prefixes and wanted.lab_codes:
            raw["labs"] = self._table("labs", wanted, days)
            labs = normalise.labs(raw["labs"], maps, his.maps, wanted.lab_codes)
        if wanted.vaccines:
            raw["vaccinations"] = self._table("vaccinations", wanted, days)
            vaccinations = normalise.vaccinations(raw["vaccinations"], maps, his.maps)
        found = set(vaccinations["vn"])
        if "labs" in raw:
            found |= normalise.visits_of_labs(raw["labs"], labs)
        raw["visits"] = self._table("visits", wanted, _among(days, found))
        visits = normalise.visits(raw["visits"], maps, his.maps)
        numbers = set(visits["vn"])
        raw["diagnoses"] = self._table("diagnoses", wanted, _among(days, numbers))
        return raw, {
            "visits": visits,
            "diagnoses": normalise.diagnoses(raw["diagnoses"]),
            "labs": labs[labs["vn"].isin(numbers)],
            "vaccinations": vaccinations[vaccinations["vn"].isin(numbers)],
        }

    def _tables(self, day: date, frames: Frames) -> DayTables:
        return DayTables(day, *(self._checked(name, frames[name]) for name in contract.TABLES))

    def first_diagnoses(self, day: date, persons: pd.DataFrame, wanted: Wanted) -> pd.DataFrame:
        """The first diagnoses before a day of persons who need have no visit of that day.

        Args:
            day: Gregorian; only diagnoses before it are given.
            persons: The columns hn and cid of visits; each may be missing.
            wanted: Which diagnoses: `first_time_icd10`.

        Returns:
            The columns hn, cid (as stored), icd10 and dx_date, the first of that person and code; where days are stored in
            Buddhist years as well, the first of these too. Whether hn or cid is a person's is for the caller to compare.

        Raises:
            SourceError: The database cannot be read, or not in time.
            ConfigurationError: The folder has no such file (see `person_history.gap`), or it cannot be used.
            ContractError: It returns other columns.
        """
        self._require_tables()
        return person_history.first_diagnoses(self.reader, day, persons, wanted)

    def own_claims(self, day: date, visits: "pd.Series[str]", wanted: Wanted) -> pd.DataFrame:
        """What the HIS has claimed itself of a day's visits.

        Args:
            day: The service day, Gregorian.
            visits: Visit numbers, which need not be in the HIS.
            wanted: As in `read_day`; doses are looked at only where vaccines are wanted.

        Returns:
            The columns vn, vaccine_code (missing: the visit), his_claim_uid, and his_claim_kinds of visits: as in the
            contract; no vn and vaccine_code twice.

        Raises:
            SourceError: The database cannot be read, or not in time.
            ConfigurationError: An SQL file cannot be used.
            ContractError: An SQL file returns other columns than the contract's.
        """
        numbers = set(person_history.askable(visits))
        with self._snapshot():
            found = self._table("visits", wanted, {day: numbers})
            doses = contract.empty("vaccinations")
            if wanted.vaccines:
                named = numbers if self.reader.reads_by_visit(wanted) else None
                rows = self._table("vaccinations", wanted, {day: named})
                doses = normalise.vaccinations(rows, self.reader.maps, self._statements.his.maps)
        doses = doses[doses["vn"].isin(numbers) & doses["vaccine_code"].notna()]
        both = pd.concat([rows.reindex(columns=list(_CLAIMED)).astype(contract.TEXT) for rows in (found, doses)])
        claimed = both.dropna(subset=["his_claim_uid"]).sort_values(list(_CLAIMED))
        return claimed.drop_duplicates(["vn", "vaccine_code"]).reset_index(drop=True)

    def _doses_without_visit(self, day: date, wanted: Wanted) -> int:
        if not wanted.vaccines or not self._statements.path(DOSES_WITHOUT_VISIT).is_file():
            return 0
        with self.reader.snapshot():
            _, ((doses,),) = self.reader.rows(DOSES_WITHOUT_VISIT, wanted, self.reader.parameters(day, wanted))
        return int(str(doses))

    def _checked(self, table: TableName, frame: pd.DataFrame) -> pd.DataFrame:
        ordered = frame[list(contract.TABLES[table])].reset_index(drop=True)
        return contract.check(table, ordered, str(self._statements.path(f"{table}.sql")))

    def _require_tables(self) -> None:
        if self._complete:
            return
        if missing := self.missing_tables():
            names = ", ".join(missing)
            raise SourceError(MISSING_TABLES.fill(at=self.reader.at, names=names, kind=self._settings.kind))
        self._complete = True

    def _table(self, table: TableName, wanted: Wanted, days: Days) -> pd.DataFrame:
        """One table with its helper columns."""
        file, agreed = f"{table}.sql", [*contract.TABLES[table], *HELPER_COLUMNS[table]]
        names, rows = self.reader.rows_of_days(file, wanted, days)
        names = names or agreed
        twice = {name for name in names if names.count(name) > 1}
        if wrong := set(names) ^ set(agreed) | twice:
            raise contract.broken(str(self._statements.path(file)), wrong)
        frame = typed_frame(table, names, rows)
        if frame["vn"].isna().any():
            raise contract.broken(str(self._statements.path(file)), {"vn"})
        return frame


def _groups(days: Mapping[date, Numbers]) -> Iterator[dict[date, Numbers]]:
    """The days in groups of half as many visits as one statement names, for others come to them; a day is never parted."""
    group: dict[date, Numbers] = {}
    for day, numbers in days.items():
        if group and sum(map(len, group.values())) + len(numbers) > VISITS_A_STATEMENT // 2:
            yield group
            group = {}
        group[day] = numbers
    if group:
        yield group


def _among(days: Days, found: set[str]) -> dict[date, Numbers]:
    """The visits that were found, by day."""
    return {day: found if numbers is None else found & {*numbers} for day, numbers in days.items()}


def _service_days(visits: pd.DataFrame) -> dict[str, date]:
    """The service day of each visit that has one, Gregorian, by its number."""
    dated = visits[visits["visit_date"].notna()]
    days = ((vn, gregorian(stored.date())) for vn, stored in zip(dated["vn"], dated["visit_date"], strict=True))
    return {vn: day for vn, day in days if day is not None}


def _of_visits(frames: Frames, numbers: Numbers) -> Frames:
    return {name: frame[frame["vn"].isin([*numbers])] for name, frame in frames.items()}


def _with_persons(tables: DayTables, named: Numbers) -> DayTables:
    """The named visits of a day and the other visits of their persons."""
    visits = tables.visits
    chosen = visits["vn"].isin([*named])
    persons = visits.loc[chosen, "hn"].dropna()
    numbers = visits.loc[chosen | visits["hn"].isin(persons), "vn"]
    found = _of_visits({name: getattr(tables, name) for name in contract.TABLES}, numbers)
    return DayTables(tables.day, *(found[name].reset_index(drop=True) for name in contract.TABLES))
