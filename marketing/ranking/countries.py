"""How search engines call a country: ISO 3166-1 alpha-2 to (alpha-3, numeric)."""

COUNTRIES: dict[str, tuple[str, int]] = {
    "AE": ("are", 784), "AR": ("arg", 32), "AT": ("aut", 40), "AU": ("aus", 36),
    "BE": ("bel", 56), "BG": ("bgr", 100), "BR": ("bra", 76), "CA": ("can", 124),
    "CH": ("che", 756), "CL": ("chl", 152), "CO": ("col", 170), "CZ": ("cze", 203),
    "DE": ("deu", 276), "DK": ("dnk", 208), "EE": ("est", 233), "ES": ("esp", 724),
    "FI": ("fin", 246), "FR": ("fra", 250), "GB": ("gbr", 826), "GR": ("grc", 300),
    "HR": ("hrv", 191), "HU": ("hun", 348), "IE": ("irl", 372), "IL": ("isr", 376),
    "IN": ("ind", 356), "IT": ("ita", 380), "JP": ("jpn", 392), "KR": ("kor", 410),
    "LT": ("ltu", 440), "LU": ("lux", 442), "LV": ("lva", 428), "MX": ("mex", 484),
    "NL": ("nld", 528), "NO": ("nor", 578), "NZ": ("nzl", 554), "PL": ("pol", 616),
    "PT": ("prt", 620), "RO": ("rou", 642), "RS": ("srb", 688), "SE": ("swe", 752),
    "SG": ("sgp", 702), "SI": ("svn", 705), "SK": ("svk", 703), "TR": ("tur", 792),
    "UA": ("ukr", 804), "US": ("usa", 840), "ZA": ("zaf", 710),
}  # fmt: skip
