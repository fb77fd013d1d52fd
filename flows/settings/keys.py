"""The names of settings: dotted keys in `moph-claim.toml`, variables in the environment."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_origin

from pydantic import BaseModel

from core.errors import ConfigurationError
from core.messages import Message
from flows.settings.sections import OwnSettings

PREFIX = "MOPH_CLAIM_"
CONFIG_VARIABLE = "MOPH_CLAIM_CONFIG"
# Where the service was started: its runs look for the settings there.
FOLDER_VARIABLE = "MOPH_CLAIM_FOLDER"
FACILITIES = "facilities"


def keys(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every settable key of a model of settings, dotted, with its field; those of one of several facilities: `own_keys`."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys(inner, f"{above}{name}.")
        elif get_origin(inner) is not dict:
            yield f"{above}{name}", field


def own_keys(facility: str) -> Iterator[tuple[str, Any]]:
    """Every settable key of one of several facilities, likewise."""
    return keys(OwnSettings, f"{FACILITIES}.{facility}.")


def variable_spelling(name: str) -> str:
    """A facility's name as variables spell it: no shell accepts a dash there."""
    return name.replace("-", "_")


def variable(key: str) -> str:
    """The environment variable that sets a key."""
    return PREFIX + variable_spelling(key).replace(".", "__").upper()


def facility_variables(
    file: Mapping[str, Any], variables: Mapping[str, str | None], known_keys: Iterable[str]
) -> dict[str, str | None]:
    """The variables (names in lower case), those of facilities under the names that these have in the file.

    Args:
        file: What `moph-claim.toml` says.
        variables: The environment, or `.env`.
        known_keys: All keys there are, to name the nearest one to a misspelt variable.

    Raises:
        ConfigurationError: One is of a facility that the file does not name, or of a setting it does not have.
    """
    begins = f"{PREFIX}{FACILITIES}".lower()
    named = file.get(FACILITIES)
    names = list(named) if isinstance(named, dict) else []
    known = {variable(key).lower(): key for name in names for key, _ in own_keys(name)}
    found = {}
    for name, value in variables.items():
        if name.startswith(begins) and name not in known:
            raise ConfigurationError(wrong_setting(name.upper(), "extra_forbidden", known_keys, names))
        found[f"{PREFIX}{known[name].replace('.', '__')}".lower() if name in known else name] = value
    return found


def wrong_setting(key: str, reason: str, known_keys: Iterable[str], facilities: Iterable[str] = ()) -> Message:
    """The sentence for a setting that cannot be used.

    Args:
        key: The key or variable as it was written.
        reason: pydantic's type of the error; `extra_forbidden` where there is no such setting.
        known_keys: All keys there are.
        facilities: The facilities that the configuration names.
    """
    if reason != "extra_forbidden":
        return Message(
            f"ค่าของ {key} ใช้ไม่ได้ กรุณาดูค่าที่ใช้ได้ใน docs/settings.md",
            f"The value of {key} cannot be used: see docs/settings.md for what can.",
        )
    there_are = [*known_keys, *(k for name in facilities for k, _ in own_keys(name))]
    names = there_are + [variable(k) for k in there_are]
    near = difflib.get_close_matches(key, names, n=1)
    return Message(
        f"ไม่มีการตั้งค่าชื่อ {key}" + (f" หมายถึง {near[0]} หรือไม่" if near else " กรุณาดูรายชื่อใน docs/settings.md"),
        f"There is no setting {key}; " + (f"did you mean {near[0]}?" if near else "docs/settings.md lists them."),
    )
