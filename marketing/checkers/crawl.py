from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from issues.checkers.base import Checker, Job, Result, failed, passed, unable
from marketing.crawl import discovery, fields
from marketing.crawl.sight import Sight
from marketing.models import Blob, Manifest
from paperclip.api.forms import Form


class Crawl(Checker):
    """What is said of each page of a competitor is taken once more from its bytes as
    they were stored, without asking the site again."""

    Settings = Form
    of_catalogue = True

    def in_words(self, settings: Mapping[str, Any]) -> str:
        told = settings.get("pages", 0)
        number = told if isinstance(told, int) else len(told)
        return f"{number} pages are taken apart once more, as they were stored."

    def check(self, job: Job) -> Result:
        pages = pages_of(job)
        if isinstance(pages, Result):
            return pages
        for told in pages:
            job.beat()
            try:
                blob = Blob.objects.get(
                    company=job.issue.company_id, sha256=told["sha256"]
                )
                body = blob.body
            except Blob.DoesNotExist:
                return unable(f"What was stored of {told['url']} is not kept any more.")
            except (ValueError, OSError, EOFError):
                return failed(f"What is stored of {told['url']} is not what was read.")
            again = taken_from(body, told)
            if fields.digest(again) != told["fields"]:
                return failed(f"{told['url']} does not say what was claimed of it.")
        facts = {"pages": len(pages), "manifest": job.settings.get("manifest", "")}
        return passed(f"{len(pages)} pages say what was claimed of them.", **facts)


def pages_of(job: Job) -> list[dict[str, Any]] | Result:
    """What is claimed of each page, or why nobody can tell."""
    told = job.settings["pages"]
    if isinstance(told, list):  # claimed before there were lists of pages
        return told
    mine = {"company": job.issue.company_id, "sha256": job.settings["manifest"]}
    if (kept := Manifest.objects.filter(**mine).first()) is None:
        return unable("What was claimed of each page is not kept any more.")
    if not kept.is_whole or len(kept.pages) != told:
        return failed("What is kept of the pages is not what was claimed.")
    found: list[dict[str, Any]] = kept.pages
    return found


def taken_from(body: bytes, told: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a document, as what it was read as."""
    if told["kind"] in discovery.READERS:
        return discovery.told_by(told["kind"], body, told["url"])
    sight = Sight(
        body,
        told["url"],
        told["headers"],
        is_rendered=told["kind"] == "browser",
        selectors=told["selectors"],
    )
    return fields.extract(sight)
