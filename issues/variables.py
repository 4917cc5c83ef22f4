"""The variables of a routine: what its title and description leave open until it is
fired, as `{{name}}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.text import Truncator

from paperclip.exceptions import Invalid

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
PLACE = re.compile(r"\{\{\s*(" + NAME.pattern + r")\s*\}\}")
# Filled in without being asked for: the day on which it is fired, or was due.
BUILT_IN = ("date",)
LONGEST = 10_000
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False


# type: (what its values are, what we call such a value)
TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "text": (is_text, f"a text of at most {LONGEST} characters"),
    "textarea": (is_text, f"a text of at most {LONGEST} characters"),
    "number": (is_number, "a number"),
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
    "select": (is_text, "one of its options"),
    "date": (is_day, "a day like 2026-11-30"),
}


def check(declared: Iterable[Mapping[str, Any]]) -> None:
    """Invalid for a name that is none or is taken, options without a choice, and a
    default that its type does not allow."""
    names: set[str] = set()
    for one in declared:
        name = one["name"]
        if not NAME.fullmatch(name):
            refuse(name, "a name is letters, digits and _, and begins with a letter.")
        if name in names or name in BUILT_IN:
            refuse(name, "this name is taken.")
        names.add(name)
        if one["type"] == "select" and not one.get("options"):
            refuse(name, "there has to be something to choose from: give its options.")
        if one["type"] != "select" and one.get("options"):
            refuse(name, "only what is chosen (the type select) has options.")
        if one.get("default") is not None:
            must_fit(one, one["default"])


def must_fit(one: Mapping[str, Any], value: Any) -> None:
    fits, called = TYPES[one["type"]]
    if not fits(value):
        refuse(one["name"], f"{brief(value)} is not {called}.")
    if one["type"] == "select" and value not in one["options"]:
        refuse(one["name"], f"{brief(value)} is none of {', '.join(one['options'])}.")


def brief(value: Any) -> str:
    """So much of it that one knows which is meant."""
    return repr(Truncator(value).chars(80) if isinstance(value, str) else value)


def refuse(name: str, why: str) -> None:
    raise Invalid(f"Variable {name}: {why}", code="bad_variable", path=[name])


def unanswered(declared: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of those that somebody has to give a value each time."""
    return [
        one["name"]
        for one in declared
        if one.get("required") and one.get("default") in (None, "")
    ]


def resolved(
    declared: Iterable[Mapping[str, Any]], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The value of each: the one given, else its default. Invalid for a name that is
    not declared, a value of another type, and a required one that is missing."""
    ours = {one["name"]: one for one in declared}
    for name in given:
        if name not in ours:
            known = ", ".join(ours) or "none"
            refuse(name, f"there is no such variable. There are: {known}.")
    values: dict[str, Any] = {}
    for name, one in ours.items():
        value = given.get(name)
        if value in (None, ""):
            value = one.get("default")
        if value in (None, ""):
            if one.get("required"):
                refuse(name, "it needs a value.")
            continue
        must_fit(one, value)
        values[name] = value
    return values


def typed(
    declared: Iterable[Mapping[str, Any]], texts: Mapping[str, str]
) -> dict[str, Any]:
    """What was typed into a form, as the values of variables. What is no number stays
    a text, and is refused as one."""
    values: dict[str, Any] = {}
    for one in declared:
        text = texts.get(one["name"], "").replace("\r\n", "\n")
        values[one["name"]] = text
        if one["type"] == "boolean":
            values[one["name"]] = bool(text)
        elif one["type"] == "number" and NUMBER.fullmatch(text.strip()):
            values[one["name"]] = float(text) if "." in text else int(text)
    return values


def built_in(at: datetime, zone: str) -> dict[str, str]:
    return {"date": at.astimezone(ZoneInfo(zone)).date().isoformat()}


def filled(text: str, values: Mapping[str, Any], declared: Iterable[str]) -> str:
    """The text with values in the places of their names. One without a value leaves
    nothing there; what is no variable stays as it is written."""
    names = {*declared, *values}

    def put(found: re.Match[str]) -> str:
        name = found[1]
        return in_text(values.get(name, "")) if name in names else found[0]

    return PLACE.sub(put, text)


def undeclared(text: str, declared: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names in the text that are no variable: they stay as they are written."""
    known = {*BUILT_IN, *(one["name"] for one in declared)}
    return [name for name in dict.fromkeys(PLACE.findall(text)) if name not in known]


def in_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
