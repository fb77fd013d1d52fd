"""The options of a command that starts a flow, made of the flow's parameters: names, help, bounds and defaults are theirs."""

import inspect
from collections.abc import Callable
from datetime import date
from types import UnionType
from typing import Annotated, Any, TypeVar, get_args, get_origin

import typer
from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from flows.cli.console import day_of
from flows.parameters import FlowParameters

R = TypeVar("R")


def takes_options(model: type[FlowParameters], *names: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give a command, which takes any keywords, an option for each parameter.

    Args:
        model: The flow's parameters.
        names: Only these; none: all.
    """

    def with_options(command: Callable[..., R]) -> Callable[..., R]:
        fields = {name: model.model_fields[name] for name in names or model.model_fields}
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [_option(name, field) for name, field in fields.items()]
        )
        return command

    return with_options


def parse_options(model: type[FlowParameters], options: dict[str, Any]) -> dict[str, Any]:
    """The parameters that a person has typed.

    Args:
        model: The flow's parameters.
        options: What the command was called with.

    Raises:
        ConfigurationError: A day is none.
    """
    return {name: _parse(model.model_fields[name], value) for name, value in options.items()}


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    flag = f"--{(field.serialization_alias or name).replace('_', '-')}"
    default: Any = field.default
    kind: Any = field.annotation
    more: dict[str, Any] = {}
    if _is_day(field):
        kind, more = str | None, {"metavar": "YYYY-MM-DD"}
    elif _is_list(field):
        kind, default = str, ",".join(default)
    elif kind is int:
        more = {"min": _bound(field, Ge, "ge"), "max": _bound(field, Le, "le")}
    elif kind is not bool:
        kind, more = str, {"metavar": "NAME"} if name == "facility" else {}  # a wrong choice gets the check's sentence
    option = typer.Option(flag, help=field.description, **more)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


def _parse(field: FieldInfo, value: Any) -> Any:
    if _is_day(field):
        return day_of(value)
    if _is_list(field):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _is_day(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is UnionType and date in get_args(field.annotation)


def _is_list(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is list


def _bound(field: FieldInfo, of: type, name: str) -> int | None:
    return next((getattr(bound, name) for bound in field.metadata if isinstance(bound, of)), None)
