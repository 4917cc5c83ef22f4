"""The files that a new site begins with."""

from __future__ import annotations

from urllib.parse import urlsplit

from tld import get_fld

from marketing import starters


def test_directories_have_addresses_of_their_own() -> None:
    rows = starters.rows_of("directories")
    for one in rows:
        home, terms = urlsplit(one["url"]), urlsplit(one["terms_url"])
        assert (home.scheme, terms.scheme) == ("https", "https"), one
        assert home.path == "/" and not home.query and terms.path != "/", one
        # Its terms are its own, maybe at a host beside it.
        assert get_fld(one["url"]) == get_fld(one["terms_url"]), one
        assert one["mode"] == "manual" and one["categories"], one
        assert 0 <= float(one["fit"]) <= 1 and 0 <= float(one["traffic"]) <= 1, one
    for name in ("name", "url", "terms_url"):
        assert len({one[name].lower() for one in rows}) == len(rows), name
    assert len({get_fld(one["url"]) for one in rows}) == len(rows)


def test_competitors_and_outlets_are_named_once() -> None:
    rivals, outlets = starters.rivals(), starters.rows_of("outlets")
    assert len({get_fld(one["base_url"]) for one in rivals}) == len(rivals)
    assert all(one["base_url"].startswith("https://") for one in rivals)
    assert len({(one["outlet"], one["category"]) for one in outlets}) == len(outlets)
    for one in outlets:
        assert not one["outlet_url"] or one["outlet_url"].startswith("https://"), one
        assert not one.get("email") and one.get("is_on", "") in ("", "no"), one
