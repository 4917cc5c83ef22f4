"""Computes the seals of a company anew, and says where they do not fit its acts.

One pass along the chain: each seal is held against the seal before it and the act as it
is now, so that a change of one shows there and nowhere else. What somebody hides who
seals anew whatever came after it, or cuts off the end, the signed checkpoints show.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from paperclip import audit, checkpoints, live, sealing, sql
from paperclip.actors import SYSTEM
from paperclip.checkpoints import Checkpoint
from paperclip.diagnosis import Broken, Finding, Link, diagnose
from paperclip.models import Chain, Company
from paperclip.sealing import ENTRY

log = logging.getLogger(__name__)

# So many links at a time.
LOT = 10_000
# So many findings are kept with the chain, for the console.
KEPT = 20

END = "SELECT length, head FROM paperclip_chain WHERE company_id = %(company)s"
SIGNED = """
SELECT checkpoint, checkpoint_at FROM paperclip_chain WHERE company_id = %(company)s
"""
LINKS = f"""
SELECT s.number, s.seq, s.digest, CASE WHEN a.seq IS NOT NULL THEN {ENTRY} END
FROM paperclip_seal s LEFT JOIN paperclip_activity a ON a.seq = s.seq
WHERE s.company_id = %(company)s AND s.number > %(last)s AND s.number <= %(end)s
ORDER BY s.number LIMIT %(lot)s
"""  # noqa: S608
# What is behind the end, without a seal, and without an act, with its words. Each is
# one statement: a sweep changes all of it at once.
STRANGERS = {
    ("seal_inserted", "Act {} has a seal behind the end of the chain."): """
SELECT s.seq FROM paperclip_seal s LEFT JOIN paperclip_chain c USING (company_id)
WHERE s.company_id = %(company)s AND s.number > coalesce(c.length, 0) ORDER BY s.seq
""",
    ("act_inserted", "Act {} has no seal: it was put in, or its seal was removed."): """
SELECT a.seq FROM paperclip_activity a WHERE a.company_id = %(company)s
    AND NOT EXISTS (SELECT FROM paperclip_seal s WHERE s.seq = a.seq)
    AND NOT EXISTS (SELECT FROM paperclip_unsealed u WHERE u.seq = a.seq)
ORDER BY a.seq
""",
    ("act_removed", "Act {} was removed before it was sealed."): """
SELECT u.seq FROM paperclip_unsealed u WHERE u.company_id = %(company)s
    AND NOT EXISTS (SELECT FROM paperclip_activity a WHERE a.seq = u.seq)
ORDER BY u.seq
""",
}


@dataclass
class Report:
    """How much was looked at, and what is wrong."""

    entries: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)


def verify(company_id: UUID, file: Path | None = None, key: str = "") -> Report:
    """Look at all that is sealed now; nobody waits for it. The checkpoints are the
    instance's own, unless a file and a public key are given."""
    # In this order: the file is written before the row, and the chain grows after it.
    last, at = (sql.planned(SIGNED, company=company_id) or [(0, None)])[0]
    signed = checkpoints.read(company_id, file, key)
    walk = Walk(signed.known)
    length, head = (sql.planned(END, company=company_id) or [(0, b"")])[0]
    walk.along(links(company_id, length))
    found = [*walk.findings(length, head), *strangers(company_id)]
    # A copy may well be older than what was signed last.
    if file is None and last > max((one.number for one in signed.known), default=0):
        said = f"{last} entries were signed at {at}, which {signed.file} does not say."
        found.append(Finding("checkpoint_removed", said))
    said = "Line {} of {} is no checkpoint that this instance signed."
    for line in signed.forged:
        found.append(Finding("checkpoint_forged", said.format(line, signed.file)))
    found.sort(key=Finding.place)
    return Report(walk.entries, len(signed.known), found)


def links(company_id: UUID, end: int) -> Iterator[Link]:
    """The chain as it stands up to its end, each seal with its act."""
    last = -(2**63)
    told = {"company": company_id, "end": end, "lot": LOT}
    while rows := sql.planned(LINKS, last=last, **told):
        for number, seq, digest, said in rows:
            yield Link(number, seq, digest, said and said.encode())
        last = rows[-1][0]


def strangers(company_id: UUID) -> Iterator[Finding]:
    for (what, said), statement in STRANGERS.items():
        for (seq,) in sql.planned(statement, company=company_id):
            yield Finding(what, said.format(seq), seq=seq)


class Walk:
    """What was seen along a chain."""

    def __init__(self, signed: list[Checkpoint]) -> None:
        self.signed = signed
        self.unmet = {one.number: one for one in signed}
        self.entries = 0
        self.number, self.digest = 0, b""
        self.found: list[Finding] = []
        self.broken: list[Broken] = []

    def along(self, chain: Iterable[Link]) -> None:
        for link in chain:
            if link.number < 1:
                said = f"Act {link.seq} has a seal before the first one."
                self.found.append(Finding("seal_inserted", said, seq=link.seq))
                continue
            if link.number == self.number + 1:
                self.hold(link)
            else:
                self.found.append(gap(self.number + 1, link.number - 1))
            if link.entry is None:
                said = f"Entry {link.number} (act {link.seq}) was removed."
                self.found.append(Finding("act_removed", said, link.number, link.seq))
            self.number, self.digest = link.number, link.digest
            self.entries += 1
            if link.number in self.unmet:
                self.meet(link)

    def hold(self, link: Link) -> None:
        """Against the seal before it."""
        if link.entry is None or link.after(self.digest) == link.digest:
            return
        if (last := self.broken_here()) and link.after(last.real) == link.digest:
            last.seal_alone = True
        else:
            self.broken.append(Broken(link, self.digest))

    def broken_here(self) -> Broken | None:
        """The last link, when it is a broken one."""
        last = self.broken[-1] if self.broken else None
        return last if last and last.link.number == self.number else None

    def meet(self, link: Link) -> None:
        if self.unmet[link.number].seal == link.digest.hex():
            del self.unmet[link.number]

    def findings(self, length: int, head: bytes) -> list[Finding]:
        """All that is wrong, given where the chain is said to end."""
        if (last := self.broken_here()) and last.real == head:
            last.seal_alone = True
        found = [*self.found, *diagnose(self.broken)]
        if self.number < length:
            said = f"Entries {self.number + 1} to {length} were cut off."
            found.append(Finding("cut_off", said, self.number + 1))
        elif self.digest != head and not last:
            said = f"Entry {length} is said to have another seal, as the end."
            found.append(Finding("end_edited", said, length))
        return [*found, *self.contradicted()]

    def contradicted(self) -> Iterator[Finding]:
        """What the checkpoints say and the chain does not: the first of them tells
        between which entries it was rewritten."""
        if not self.unmet:
            return
        first = self.unmet[min(self.unmet)]
        if first.number > self.number:
            said = f"{first.number} entries were signed at {first.at}"
            said = f"{said}, and {self.number} are left."
            yield Finding("cut_off", said, self.number + 1)
            return
        met = [one.number for one in self.signed if one.number not in self.unmet]
        start = max((number for number in met if number < first.number), default=0) + 1
        said = f"Entries {start} to {first.number} are not what was signed at"
        yield Finding("rewritten", f"{said} {first.at}.", start)


def gap(first: int, last: int) -> Finding:
    lost = f"Seal {first} was" if first == last else f"Seals {first} to {last} were"
    return Finding("seal_removed", f"{lost} removed.", first)


def of_removed(place: Path | None = None) -> dict[str, Report]:
    """A report on each company of which there is nothing but checkpoints."""
    known = {str(pk) for pk in Company.objects.values_list("pk", flat=True)}
    said = "Its checkpoints are there, the company is not."
    gone = [Finding("company_removed", said)]
    return {
        f"company {pk}": Report(findings=gone)
        for pk in sorted(checkpoints.companies(place) - known)
    }


# --- Kept for the console --------------------------------------------------------


def verify_all() -> None:
    """Every night: look at each company, and alert those that it concerns."""
    if tables := sealing.unguarded():
        log.error("Changes to %s are not refused any more", ", ".join(tables))
    for company in Company.objects.all():
        report = verify(company.pk)
        for one in report.findings[:KEPT]:
            log.error("%s: %s", company, one)
        keep(company, report)


@transaction.atomic
def keep(company: Company, report: Report) -> None:
    """Note it with the chain. That a sound one is broken is an act of its own."""
    found = [{"said": str(one), "seq": one.still_there} for one in report.findings]
    chain, _ = Chain.objects.select_for_update().get_or_create(pk=company.pk)
    if found and not chain.findings:
        audit.record(SYSTEM, "audit.broken", company, findings=len(found))
    chain.verified, chain.verified_at = report.entries, now()
    chain.findings = found[:KEPT]
    chain.save(update_fields=["verified", "verified_at", "findings"])
    live.changed(company.pk)
