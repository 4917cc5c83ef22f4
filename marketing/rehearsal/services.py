"""The services that a company uses, behind one address: each answers for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug import Request, Response

from marketing.rehearsal import searchers, story
from marketing.rehearsal.searchers import SearchConsole, Statistics, told
from marketing.rehearsal.web import missing

if TYPE_CHECKING:
    from marketing.rehearsal.deploys import Deploys
    from marketing.rehearsal.plan import Plan

# Where each is, below the address of the services.
PLACES = {
    "indexnow": "/indexnow",
    "vercel": "/vercel",
    "gsc": "/gsc",
    "google_token": "/token",
    "bing": "/bing",
    "serper": "/serper",
}


class Services:
    def __init__(self, plan: Plan, deploys: Deploys) -> None:
        self.plan, self.deploys = plan, deploys
        self.statistics = Statistics(
            plan.url("site"), story.KEYWORDS, story.ALMOST, story.NOWHERE
        )
        self.console = SearchConsole(plan.google_key, self.statistics.google)

    def answer(self, request: Request) -> Response:
        path = request.path
        if path == "/indexnow":
            return searchers.indexnow(request, self.plan.url("site"))
        if path == "/vercel/v6/deployments":
            return self.deploys.listed(request)
        if path == "/token":
            return self.console.token(request)
        if path.startswith("/gsc/") and path.endswith("/searchAnalytics/query"):
            return self.console.query(request)
        if path == "/bing/GetQueryStats":
            return self.bing(request)
        return self.serper(request) if path == "/serper/search" else missing()

    def bing(self, request: Request) -> Response:
        if request.args.get("apikey") != self.plan.bing_key:
            return told({"ErrorCode": 3, "Message": "InvalidApiKey"}, 401)
        return told(self.statistics.bing())

    def serper(self, request: Request) -> Response:
        if request.headers.get("X-API-KEY") != self.plan.serp_key:
            return told({"message": "Unauthorized."}, 403)
        return told(self.statistics.serper(request.get_json()))
