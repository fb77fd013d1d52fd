"""The scope of the commands that read the audit: one facility, or all of them."""

from core.errors import ConfigurationError
from core.messages import Message
from extract.hcode import resolve_hcode
from flows.settings.model import Settings
from flows.settings.sections import FacilitySettings
from load.settings import Environment

_WHICH_ENVIRONMENT = Message(
    "หน่วยบริการอยู่คนละสภาพแวดล้อม ({environments}) กรุณาระบุหน่วยหนึ่ง (--facility): {names}",
    "The facilities are in different environments ({environments}), name one (--facility): {names}.",
)


def settings_in_scope(settings: Settings, facility: str) -> Settings:
    """The settings of one facility with its code resolved; or of all facilities, without a code, which selects all of them.

    Args:
        settings: The settings in force.
        facility: Its name; empty: all.

    Raises:
        MophClaimError: There is no such facility, its HIS had to be asked for its code and cannot be, or the facilities
            are in different environments.
    """
    if not settings.facilities:
        return settings.of(facility)
    if facility:
        one = settings.of(facility)
        return one.model_copy(
            update={"facility": one.facility.model_copy(update={"hcode": resolve_hcode(one.his, one.facility.hcode)})}
        )
    api = settings.api.model_copy(update={"environment": environment_in_scope(settings, facility)})
    return settings.model_copy(update={"facility": FacilitySettings(), "api": api})


def environment_in_scope(settings: Settings, facility: str) -> Environment:
    """The environment that one facility, or all of them, send to.

    Raises:
        ConfigurationError: There is no such facility, or they send to different ones.
    """
    if facility or not settings.facilities:
        return settings.of(facility).api.environment
    environment, *others = sorted({one.api.environment for one in settings.each()})
    if others:
        there_are = ", ".join([environment, *others])
        raise ConfigurationError(_WHICH_ENVIRONMENT.fill(environments=there_are, names=", ".join(settings.facilities)))
    return environment
