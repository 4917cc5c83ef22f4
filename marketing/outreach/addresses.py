"""Who reads whole mail addresses of people outside: who may write to them. Everybody
else, agents too, reads them masked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from marketing.words import masked_address
from paperclip import roles

if TYPE_CHECKING:
    from uuid import UUID

    from paperclip.actors import Actor

ACT = "write to people outside"
ADDRESS = re.compile(r"[^\s<>()\"',;:@]+@[^\s<>()\"',;:@]+")


def are_whole(by: Actor, company_id: UUID) -> bool:
    """Whether this one reads them as they are."""
    if by.user is None or not by.is_person:
        return False
    return roles.allows(by.user.role_in(company_id), ACT)


def shown(text: str | None, whole: bool) -> str:
    """The text, with every address in it as it may be read."""
    said = text or ""
    return said if whole else ADDRESS.sub(lambda one: masked_address(one[0]), said)
