"""What a check leaves open until it is used: typed parameters, put in as `{name}`.

Whoever fills one in, also an agent, gives a value and never a piece of a program: an
argument stays one argument, and none becomes an option or leaves the directory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from paperclip.exceptions import Invalid

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
PLACE = re.compile(r"\{(" + NAME.pattern + r")\}")
LONGEST, MOST = 300, 20
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def is_text(value: Any) -> bool:
    is_line = isinstance(value, str) and 0 < len(value) <= LONGEST
    return is_line and not value.startswith("-") and not UNPRINTABLE.search(value)


def is_word(value: Any) -> bool:
    return is_text(value) and re.fullmatch(r"[A-Za-z0-9_.@+-]+", value) is not None


def is_path(value: Any) -> bool:
    if not is_text(value) or value.startswith(("/", "~")) or "\\" in value:
        return False
    return not {"", ".", "..", ".git"} & {*value.casefold().split("/")}


def is_number(value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and 0 <= value < 10**12


# type: (what its values are, what we call such a value)
TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "text": (is_text, f"a line of 1 to {LONGEST} characters that begins with no -"),
    "word": (is_word, "a word of letters, digits and _ . @ + - that begins with no -"),
    "path": (is_path, "a path inside the repository, such as site/index.html"),
    "number": (is_number, "a whole number of at least 0"),
    "choice": (is_text, "one of its options"),
}


def check(declared: Iterable[Mapping[str, Any]], settings: Any) -> None:
    """Invalid for a name that is none or is there twice, a choice without options, a
    default that does not fit, and a place in the settings that no parameter fills."""
    names: set[str] = set()
    for one in declared:
        name = one["name"]
        if not NAME.fullmatch(name):
            refuse(name, "a name is a-z, 0-9 and _, and begins with a letter.")
        if name in names:
            refuse(name, "there are two of this name.")
        names.add(name)
        if (one["type"] == "choice") != bool(one.get("options")):
            refuse(name, "a choice, and nothing else, has options.")
        if one.get("default") is not None:
            must_fit(one, one["default"])
    places = set(PLACE.findall(" ".join(texts(settings))))
    for name in sorted(places ^ names):
        where = "has no parameter" if name in places else "is used nowhere"
        refuse(name, f"{{{name}}} {where}.")


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


def filled_in(
    declared: Iterable[Mapping[str, Any]], given: Mapping[str, Any]
) -> dict[str, Any]:
    """A value for every parameter. Invalid for one that is missing, does not fit, or is
    not asked for."""
    known = {one["name"]: one for one in declared}
    for name in given:
        if name not in known:
            said = ", ".join(known) or "none"
            refuse(str(name)[:40], f"there is no such parameter. There are: {said}.")
    values = {}
    for name, one in known.items():
        value = given.get(name, one.get("default"))
        if value is None:
            refuse(name, f"it is missing: give {TYPES[one['type']][1]}.")
        must_fit(one, value)
        values[name] = value
    return values


def must_fit(one: Mapping[str, Any], value: Any) -> None:
    fits, called = TYPES[one["type"]]
    if not fits(value):
        refuse(one["name"], f"{str(value)[:80]!r} is not {called}.")
    if one["type"] == "choice" and value not in one["options"]:
        said = ", ".join(one["options"])
        refuse(one["name"], f"{value!r} is none of {said}.")


def put_in(
    settings: Any, values: Mapping[str, Any], quote: Callable[[str], str] = str
) -> Any:
    """The settings with every place filled. Nothing in a value is a place again."""
    if isinstance(settings, dict):
        return {key: put_in(one, values, quote) for key, one in settings.items()}
    if isinstance(settings, list):
        return [put_in(one, values, quote) for one in settings]
    if isinstance(settings, str):
        return PLACE.sub(lambda found: quote(str(values[found[1]])), settings)
    return settings


def refuse(name: str, why: str) -> None:
    raise Invalid(f"Parameter {name}: {why}", code="bad_parameter", path=[name])
