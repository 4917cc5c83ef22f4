"""How the console looks: the settings of unfold, the same on every instance."""

UNFOLD = {
    "SITE_TITLE": "Paperclip",
    "SITE_HEADER": "Paperclip",
    "SITE_SYMBOL": "attach_file",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": "/static/paperclip/icon.svg",
        }
    ],
    "SHOW_HISTORY": False,
    "COLORS": {
        "primary": {
            "50": "oklch(96.2% .018 272.3)",
            "100": "oklch(93% .034 272.8)",
            "200": "oklch(87% .065 274)",
            "300": "oklch(78.5% .115 274.7)",
            "400": "oklch(67.3% .182 276.9)",
            "500": "oklch(58.5% .233 277.1)",
            "600": "oklch(51.1% .262 276.9)",
            "700": "oklch(45.7% .24 277)",
            "800": "oklch(39.8% .195 277.4)",
            "900": "oklch(35.9% .144 278.7)",
            "950": "oklch(25.7% .09 281.3)",
        }
    },
    "SIDEBAR": {"navigation": "paperclip.console.sidebar"},
}
