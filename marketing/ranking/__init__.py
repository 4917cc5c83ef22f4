"""Who says where we are found: a table, one class each, one way to ask."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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
    module, cls = PROVIDERS[name].rsplit(".", 1)
    found: type[Provider] = getattr(import_module(module), cls)
    return found
