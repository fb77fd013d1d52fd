"""The drop-downs of a workbook, made from the code lists."""

from dataclasses import fields, replace
from datetime import date

import pandas as pd

from extract.workbook.layout import Choice, Choices, SheetName, own_choices, spellings
from transform.claim import SERVICES, Service
from transform.codes import Codes, valid_on


def choices(codes: Codes, day: date | None = None) -> Choices:
    """The drop-downs of a workbook by name: the layout's own, and those of the code lists.

    Args:
        codes: All lists.
        day: Only choices valid on this day, for writing a workbook; None: all ever valid, for reading one.
    """
    if day is not None:
        codes = replace(codes, **{f.name: valid_on(getattr(codes, f.name), day) for f in fields(codes)})
    titles = codes.titles
    exact = titles[titles["match"] == "exact"]
    spelt = {str(standard): tuple(some["title"]) for standard, some in exact.groupby("standard", sort=False)}
    vaccines, labs = (listed.drop_duplicates("code", keep="last") for listed in (codes.vaccines, codes.labs))
    found = {
        **own_choices(),
        "titles": tuple(Choice(standard, standard, also) for standard, also in spelt.items()),
        "marital_status": _named(codes.marital_status),
        "nationalities": _named(codes.nationalities),
        "vaccines": tuple(
            Choice(
                r["code"],
                f"{r['name_th']} ({r['code']})",
                (r["code"], r["name_th"], r["name_en"]),
                _sheet(r["service"]),
            )
            for r in vaccines.to_dict("records")
        ),
        "labs": tuple(
            Choice(
                r["code"],
                f"{r['name']} {r['code']}",
                (r["code"], r["name"], r["name"].split(" (")[0]),
                _sheet(SERVICES[r["kind"]]),
            )
            for r in labs.to_dict("records")
        ),
    }
    return {name: tuple(_as_people_write(name, choice) for choice in listed) for name, listed in found.items()}


def _as_people_write(name: str, choice: Choice) -> Choice:
    return replace(choice, also=(*choice.also, *spellings().get((name, choice.value), ())))


def _sheet(service: Service) -> frozenset[SheetName]:
    return frozenset({service})


def _named(listed: pd.DataFrame) -> tuple[Choice, ...]:
    return tuple(
        Choice(r["code"], r["name_th"], (r["code"], r["name_en"], f"{r['code']} {r['name_th']}"))
        for r in listed.drop_duplicates("code", keep="last").to_dict("records")
    )
