"""Reading the settings, and showing them."""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from core.errors import ConfigurationError
from core.messages import Message
from flows.settings.facilities import refuse_alike, refuse_names
from flows.settings.keys import CONFIG_VARIABLE, FACILITIES, FOLDER_VARIABLE, PREFIX, keys, variable, wrong_setting
from flows.settings.model import Settings, config_file
from flows.settings.sections import OwnSettings


def read_settings() -> Settings:
    """The settings in force.

    Raises:
        ConfigurationError: A key is unknown or a value impossible; says which, never its value.
    """
    path = config_file()
    if CONFIG_VARIABLE in os.environ and not path.is_file():
        raise ConfigurationError(
            Message(
                f"ไม่พบไฟล์ตั้งค่า {path} กรุณาตรวจสอบ {CONFIG_VARIABLE}",
                f"The settings file {path} is not there: check {CONFIG_VARIABLE}.",
            )
        )
    _refuse_unknown_variables()
    try:
        settings = Settings(_env_file=path.parent / ".env")
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        key = [str(part) for part in first["loc"]]
        raise ConfigurationError(
            wrong_setting(".".join(key), first["type"], _known_keys(), key[1:2] if key[0] == FACILITIES else ())
        ) from None
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        what = str(error) if isinstance(error, tomllib.TOMLDecodeError) else type(error).__name__
        raise ConfigurationError(
            Message(f"อ่านไฟล์ตั้งค่า {path} ไม่ได้ ({what})", f"The settings file {path} cannot be read ({what}).")
        ) from None
    # Wherever the command is called from, the audit lies beside the settings.
    settings = settings.model_copy(update={"data_folder": (path.parent / settings.data_folder).absolute()})
    for own in settings.each():
        own.api.refuse_clear_text()
    refuse_names(settings.facilities)
    refuse_alike(settings.each())
    return settings


def use_only(config: Path) -> None:
    """Let the settings come from this file (and the `.env` beside it) alone, for this process and its children."""
    for name in [n for n in os.environ if n.upper().startswith(PREFIX)]:
        del os.environ[name]
    os.environ[CONFIG_VARIABLE] = str(config.absolute())


def in_force(settings: Settings) -> Iterator[tuple[str, object]]:
    """Every key with its value: of all facilities, then what each of several has said for itself."""
    for key in _known_keys():
        section, _, name = key.rpartition(".")
        yield key, getattr(getattr(settings, section) if section else settings, name)
    for facility, own in settings.facilities.items():
        for section in OwnSettings.model_fields:
            said = getattr(own, section)
            names = [name for name in type(said).model_fields if name in said.model_fields_set]
            yield from ((f"{FACILITIES}.{facility}.{section}.{name}", getattr(said, name)) for name in names)


def _refuse_unknown_variables() -> None:
    known = {variable(key) for key in _known_keys()} | {CONFIG_VARIABLE, FOLDER_VARIABLE}
    of_facilities = f"{PREFIX}{FACILITIES}".upper()  # looked at once it is known which there are
    for name in os.environ:
        ours = name.upper().startswith(PREFIX) and not name.upper().startswith(of_facilities)
        if ours and name.upper() not in known:
            raise ConfigurationError(wrong_setting(name, "extra_forbidden", _known_keys()))


def _known_keys() -> list[str]:
    return [key for key, _ in keys(Settings)]
