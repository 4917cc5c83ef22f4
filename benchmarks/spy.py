"""Competitors read by a real Chromium: how much of six broken sites is taken as it has
to be, and what a page costs."""

from __future__ import annotations

import resource
import time
from statistics import mean

from benchmarks.report import figure, heading, least, p50_p95
from marketing.crawl.browser import Chromium
from marketing.crawl.reading import Reader, Reading
from marketing.models import Competitor, Site
from marketing.web.client import AGENT
from paperclip.models import Company
from tests.instance import Instance
from tests.marketing import rivals

SETTINGS: dict[str, str] = {}


def measure(_instance: Instance) -> None:
    heading("Six broken sites, read by Chromium")
    ours = Site(company=Company(rehearsal=True), base_url="https://us.example/")
    began, readings = time.monotonic(), {}
    with rivals.running() as sites, Chromium(AGENT) as chromium:
        if not chromium.works:
            print(chromium.problem)
            return
        for name in rivals.SITES:
            row = Competitor(name=name, base_url=sites[name].url)
            readings[name] = Reader(ours, row, chromium).read()
        told(sites, readings)
    figure("all six sites", time.monotonic() - began, "s", 90)
    # The job's own process, with its parsers; Chromium is beside it.
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figure("the program itself, at most", most, "MB")


def told(sites: dict[str, rivals.Rival], readings: dict[str, Reading]) -> None:
    fields = [
        one
        for name, reading in readings.items()
        for one in sites[name].compared(
            reading.status,
            [(look.sight.url, look.fields) for look in reading.read if look.sight],
        )
    ]
    right = sum(1 for _name, wanted, found in fields if wanted == found)
    print(f"fields against golden answers: {right} of {len(fields)} right")
    least("fields that are right", 100 * right / len(fields), "%", 100)
    pages = [p for r in readings.values() for p in r.read if p.how == "browser"]
    middle, late = p50_p95([page.seconds or 0 for page in pages])
    figure("pages by the browser", len(pages), "pages")
    figure("a page, p50", middle, "s")
    figure("a page, p95", late, "s", 5)
    sizes = [page.megabytes or 0 for page in pages]
    figure("Chromium while a page is open (PSS), mean", mean(sizes), "MB", 600)
    figure("Chromium while a page is open (PSS), most", max(sizes), "MB", 600)
