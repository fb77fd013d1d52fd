"""Checks code maps against the lists of claimable codes: a typing error in a map would silently lose claims."""

from collections.abc import Iterator

from core.messages import Message
from extract.his_file import MapName
from extract.site_maps import NOTHING, SiteMaps
from transform.codes import Codes

NOT_LISTED = Message(
    "{map}: {local} ถูกจับคู่กับ {code} ซึ่งไม่อยู่ในรายการรหัสที่เบิกได้ กรุณาตรวจว่าพิมพ์ถูก หรือใส่ - หากไม่ใช่สิ่งที่เบิก",
    "{map}: {local} is said to stand for {code}, which is none of the codes that are claimed: check the spelling, or put - "
    "where it is nothing that is claimed.",
)


def check_code_maps(maps: SiteMaps, codes: Codes) -> Iterator[Message]:
    """One message for each local code of a lab item, vaccine or marital status that is mapped to an unlisted code.

    Rights, occupations and nationalities are not checked, as there is no complete list of them.

    Args:
        maps: The site's maps.
        codes: All lists, of any validity.
    """
    lists: dict[MapName, set[str]] = {
        "labs": set(codes.labs["code"]),
        "vaccines": set(codes.vaccines["code"]),
        "marital_status": set(codes.marital_status["code"]),
    }
    for name, listed in lists.items():
        for local, code in maps.get(name, {}).items():
            if code not in listed | {NOTHING}:
                yield NOT_LISTED.fill(map=f"{name}.csv", local=local, code=code)
