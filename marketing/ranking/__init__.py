"""Who says where we are found: a table, one class each, one way to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from marketing.ranking.base import Provider

# In the order they are asked. No search engine's own result page is among them: that
# would be scraping.
PROVIDERS: dict[str, str] = {
    "gsc": "marketing.ranking.gsc.SearchConsole",
    "bing": "marketing.ranking.bing.BingWebmaster",
    "serper": "marketing.ranking.vendors.Serper",
    "dataforseo": "marketing.ranking.vendors.DataForSeo",
}


def provider_class(name: str) -> type[Provider]:
    found: type[Provider] = import_string(PROVIDERS[name])
    return found
