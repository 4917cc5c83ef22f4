"""Six competitors, each broken in a way of its own."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator, Mapping

from werkzeug import Request, Response

Headers = Mapping[str, str] | None
Answer = Response | Callable[[Request], Response]


def html(text: str, status: int = 200, headers: Headers = None) -> Response:
    kind = {"Content-Type": "text/html; charset=utf-8"}
    return Response(text, status, headers={**kind, **(headers or {})})


def robots(*lines: str) -> Response:
    return Response("\n".join(("User-agent: *", *lines)), 200, mimetype="text/plain")


def article(title: str) -> Response:
    said = f"{title}. " * 30
    return html(
        f"<html><head><title>{title}</title></head><body><article><h1>{title}</h1>"
        f"<p>{said}</p></article></body></html>"
    )


ALTAIR_PAGE = (
    "<header><h1>Altair</h1></header><main><h1>Agents that answer your shop</h1>"
    "<h1 style='display:none'>Hidden</h1><h2>AI agents for retail</h2>"
    "<h2 class=gone>Not to be seen</h2><h2>  </h2><h2>Inventory forecasting</h2>"
    "<p>We build AI agents for retail with Python and Django. AI agents for retail"
    " need inventory forecasting. Inventory forecasting is hard work for a shop,"
    " and inventory forecasting by hand is harder still for everybody.</p></main>"
)
ALTAIR_FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Altair</title>
<item><title>What AI agents for retail cost</title>
<link>/blog/what-agents-cost</link></item>
<item><title>Inventory forecasting in five steps</title>
<link>/blog/inventory-forecasting</link></item></channel></rss>"""


def altair(tracker: str) -> dict[str, Answer]:
    """All of it is made by a script; its feed names its posts."""
    script = f"""
    fetch('/api/page.json').then(one => one.json()).then(told => {{
      document.title = told.title;
      document.getElementById('root').innerHTML = told.html;
    }});
    new Image().src = '{tracker}pixel.gif';
    fetch('{tracker}track').catch(() => 0);
    navigator.sendBeacon('{tracker}beacon', 'seen');
    try {{ new WebSocket('{tracker}'.replace('http', 'ws')); }} catch (no) {{}}
    navigator.serviceWorker && navigator.serviceWorker.register('/worker.js');
    """
    shell = f"""<!doctype html><html><head><title>Loading</title>
    <meta name="description" content="Agents for shops, made in Lisbon.">
    <style>.gone {{ display: none }}</style>
    <link rel="alternate" type="application/rss+xml" href="/blog/feed.xml">
    <link rel="preconnect" href="{tracker}"><script src="{tracker}tag.js"></script>
    </head><body><div id="root"></div><img src="/logo.png">
    <script src="/_next/static/app.js"></script></body></html>"""
    told = json.dumps({"title": "AI agents for retail | Altair", "html": ALTAIR_PAGE})
    return {
        "/": html(shell, headers={"X-Powered-By": "Next.js"}),
        "/robots.txt": robots("Disallow: /private", "Disallow: /blog/inventory"),
        "/_next/static/app.js": Response(script, mimetype="text/javascript"),
        "/api/page.json": Response(told, mimetype="application/json"),
        "/blog/feed.xml": Response(ALTAIR_FEED, mimetype="application/rss+xml"),
        "/blog/what-agents-cost": article("What AI agents for retail cost"),
        "/blog/inventory-forecasting": article("Must not be read"),
        "/worker.js": Response("", mimetype="text/javascript"),
        "/logo.png": Response(b"png", mimetype="image/png"),
    }


def boreal(tracker: str) -> dict[str, Answer]:
    """No title; headings by role; posts in a packed sitemap below an index; further
    pages that are huge, that drip, that lead in a circle."""
    page = f"""<html><head><meta property="og:title" content="Boreal builds agents">
    <meta name="twitter:description" content="Agents for retail, from the north.">
    <meta property="article:tag" content="retail agents">
    <meta property="article:tag" content="returns handling">
    <meta name="generator" content="Hugo 0.140"></head>
    <body><nav><a href="/blog/">Blog</a></nav>
    <div role="heading" aria-level="1">AI agents for retail teams</div>
    <h2>Returns handling</h2><p>Returns handling by AI agents for retail.</p>
    <iframe src="{tracker}frame"></iframe></body></html>"""
    index = """<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
    <sitemap><loc>{base}pages.xml</loc></sitemap>
    <sitemap><loc>{base}posts.xml.gz</loc></sitemap></sitemapindex>"""
    posts = """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
    <url><loc>{base}blog/returns-handling-guide</loc><lastmod>2026-01-02</lastmod></url>
    <url><loc>{base}blog/ai-agents-for-retail</loc><lastmod>2026-11-02</lastmod></url>
    <url><loc>{base}about</loc></url></urlset>"""

    return {
        "/": html(page, headers={"Set-Cookie": "csrftoken=abc; Path=/; Secure"}),
        "/robots.txt": lambda request: robots(
            "Crawl-delay: 0.3", f"Sitemap: {request.host_url}sitemap_index.xml"
        ),
        "/sitemap_index.xml": based(index),
        "/posts.xml.gz": based(posts, pack=True),
        "/blog/": html("<title>The blog of Boreal</title><h1>Blog</h1>"),
        "/blog/returns-handling-guide": article("Returns handling: a guide"),
        "/blog/ai-agents-for-retail": article("AI agents for retail: a primer"),
        "/huge": html("<p>" + "x" * 6_000_000),
        "/drip": drip,
        "/loop": Response("", 302, headers={"Location": "/loop"}),
    }


def drip(request: Request) -> Response:
    def slowly() -> Iterator[bytes]:
        for _second in range(60):
            yield b"<p>"
            time.sleep(0.3)

    return Response(slowly(), mimetype="text/html")


def cirrus(tracker: str) -> dict[str, Answer]:
    """Spelled in capitals, with structured data of which half is broken; no robots."""
    page = f"""<HTML><HEAD><TITLE> Cirrus:  Inventory forecasting </TITLE>
    <META NAME="Description" CONTENT="Forecasts for shops.">
    <META NAME="KEYWORDS" CONTENT="inventory forecasting; Demand planning ,,">
    <META NAME="Generator" CONTENT="WordPress 6.9">
    <SCRIPT TYPE="application/ld+json">{{"@type": "Organization",</SCRIPT>
    <SCRIPT TYPE="application/ld+json">{{"@graph": [{{"@type": "WebSite",
    "keywords": ["never reached"]}}]}}</SCRIPT>
    <LINK REL=stylesheet HREF="/wp-content/themes/x/style.css"></HEAD>
    <BODY><HEADER><H1>Cirrus</H1></HEADER><MAIN>
    <ARTICLE><H2><A HREF="/journal/forecasting">Inventory forecasting pays</A></H2>
    </ARTICLE><ARTICLE><H3><A HREF="/journal/agents">AI agents for retail,
    tried</A></H3></ARTICLE><IMG SRC="{tracker}x.gif"><H2 HIDDEN>Not seen</H2>
    <P>Demand planning and inventory forecasting.</P></MAIN></BODY></HTML>"""
    return {
        "/": html(page, headers={"X-Powered-By": "PHP/8.4"}),
        "/journal/forecasting": article("Inventory forecasting pays"),
        "/journal/agents": article("AI agents for retail, tried"),
    }


def dunaj(tracker: str) -> dict[str, Answer]:
    """In windows-1250, which only a tag says; no description; a bomb for a sitemap."""
    page = """<html><head><meta http-equiv="Content-Type"
    content="text/html; charset=windows-1250"><title>Dunaj: řešení pro e-shopy</title>
    </head><body><main><h1>Příliš žluťoučký kůň</h1>
    <p>AI agents for retail v Česku: zásoby, objednávky a vrácené zboží.</p>
    <ul><li><a href="/blog/zasoby">Řízení zásob s agenty</a></li>
    <li><a href="/blog/agenti">AI agents for retail v praxi</a></li></ul>
    </main></body></html>"""
    bomb = gzip.compress(b"<urlset>" + b" " * 60_000_000 + b"</urlset>")
    plain = {"Content-Type": "text/html"}
    return {
        "/": Response(page.encode("windows-1250"), 200, headers=plain),
        "/robots.txt": robots("Allow: /"),
        "/sitemap.xml": Response(bomb, mimetype="application/gzip"),
        "/blog/zasoby": article("Řízení zásob s agenty"),
        "/blog/agenti": article("AI agents for retail v praxi"),
    }


def eclipse(tracker: str) -> dict[str, Answer]:
    """A wall that answers 200."""
    return {
        "/": html(
            "<title>Just a moment...</title><body>Checking your browser before"
            " accessing this site.<script src='/cdn-cgi/challenge-platform/x.js'>"
            "</script></body>"
        ),
        "/robots.txt": robots("Allow: /"),
    }


def fjord(tracker: str) -> dict[str, Answer]:
    """Its robots.txt is in trouble."""
    return {"/": article("Must not be read"), "/robots.txt": Response("", 503)}


def based(text: str, *, pack: bool = False) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        body = text.replace("{base}", request.host_url).encode()
        packed = gzip.compress(body, mtime=0) if pack else body
        return Response(packed, mimetype="text/xml")

    return answer


SITES = {
    "altair": altair,
    "boreal": boreal,
    "cirrus": cirrus,
    "dunaj": dunaj,
    "eclipse": eclipse,
    "fjord": fjord,
}
