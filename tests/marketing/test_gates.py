"""What a post has to pass before a person is asked, rule by rule."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from marketing import facts, gates, render
from marketing.draft import Draft
from marketing.models import (
    Competitor,
    Keyword,
    OwnPage,
    PageSnapshot,
    Post,
    PostVersion,
    RankReading,
)
from paperclip.actors import SYSTEM
from paperclip.exceptions import Invalid
from tests.marketing.blogscene import AT, KEYWORD, Blog
from tests.marketing.drafts import SHOPS, STOCK, changed, unsafe, with_links

pytestmark = pytest.mark.django_db


@pytest.fixture
def blog(httpserver: HTTPServer) -> Blog:
    return Blog.set_up(httpserver)


@pytest.fixture
def post(blog: Blog) -> Post:
    brief = blog.brief()
    return Post.objects.create(
        company=blog.site.company,
        brief=brief,
        cluster=brief.cluster,
        keyword=KEYWORD,
        slug="a-key",
    )


def judged(blog: Blog, post: Post, document: dict[str, Any]) -> dict[str, str]:
    """The rules that it fails, and what they say."""
    text = Draft.of(document)
    version = post.drafted(text, blog.site, "CMO", AT)
    subject = gates.Subject(blog.site, post, text, version.source, AT)
    found = gates.run(subject)
    return {one["rule"]: one["said"] for one in found if not one["passed"]}


def test_a_good_post_passes_all_of_them_in_their_order(blog, post) -> None:
    text = Draft.of(SHOPS)
    source = post.drafted(text, blog.site, "CMO", AT).source
    found = gates.run(gates.Subject(blog.site, post, text, source, AT))
    assert [one["rule"] for one in found] == [
        *("quota", "unique_keyword", "cannibalisation", "structure", "facts"),
        *("originality", "near_duplicate", "language", "links", "json_ld"),
        "sanitiser",
    ]
    assert [one for one in found if not one["passed"]] == []


def test_the_same_draft_is_the_same_bytes(blog, post) -> None:
    one = post.drafted(Draft.of(SHOPS), blog.site, "CMO", AT)
    other = post.drafted(Draft.of(deepcopy(SHOPS)), blog.site, "CMO", AT)
    assert one.source == other.source and one.sha256 == other.sha256
    assert render.head_of(one.source)["postKey"] == str(post.key)


# --- what may be published at all -------------------------------------------------


def test_the_quota_comes_first_and_alone(blog, post) -> None:
    blog.live_post("bread", pushed_at=AT - timedelta(hours=23))
    assert list(judged(blog, post, unsafe(SHOPS))) == ["quota"]
    blog.site.max_posts_per_day = 2
    assert "quota" not in judged(blog, post, SHOPS)


def test_more_than_three_a_day_no_setting_allows(blog, post) -> None:
    for number in range(3):
        blog.live_post(f"bread {number}", number, pushed_at=AT - timedelta(hours=1))
    blog.site.max_posts_per_day = 30
    assert "3 of 3" in judged(blog, post, SHOPS)["quota"]


def test_a_keyword_has_one_post(blog, post) -> None:
    other = blog.live_post("small shop AI agent for", title="Bakers and flour")
    assert "same keyword" in judged(blog, post, SHOPS)["unique_keyword"]
    Post.objects.filter(pk=other.pk).update(state="unpublished")
    assert "unique_keyword" not in judged(blog, post, SHOPS)


def test_a_title_that_competes_is_for_an_update(blog, post) -> None:
    url = blog.deployer.url("/agents")
    OwnPage.objects.create(
        company=blog.site.company,
        url=url,
        status=200,
        title="Where to begin: AI agents for small shops",
        text="About something.",
        read_at=AT,
    )
    said = judged(blog, post, SHOPS)["cannibalisation"]
    assert url in said and "update" in said


def version(blog: Blog, post: Post, document: dict[str, Any]) -> None:
    row = post.drafted(Draft.of(document), blog.site, "CMO", AT)
    row.save()
    fields = ("slug", "title", "path", "url")
    Post.objects.filter(pk=post.pk).update(**{f: getattr(post, f) for f in fields})


def test_a_text_that_competes_is_seen(blog, post) -> None:
    other = blog.live_post("agents", path="")
    document = changed(SHOPS, title="Letting machines answer your mail")
    version(blog, other, document)
    said = judged(blog, post, SHOPS)
    assert "cannibalisation" in said and "near_duplicate" in said


def test_a_page_that_is_found_for_the_keyword_competes(blog, post) -> None:
    keyword, _new = Keyword.objects.enter(blog.site.company, KEYWORD, by=SYSTEM)
    url = blog.deployer.url("/services")
    for place, times in ((url, 30), (blog.deployer.url("/other"), 70)):
        RankReading.objects.create(
            company=blog.site.company,
            keyword=keyword,
            engine="google",
            metric="gsc_avg_position",
            status="ranked",
            url=place,
            impressions=times,
            position=8,
            day=AT.date() - timedelta(days=3 if place == url else 4),
        )
    assert "cannibalisation" in judged(blog, post, SHOPS)


def test_another_subject_competes_with_nothing(blog, post) -> None:
    version(blog, blog.live_post("stock forecasting", path=""), STOCK)
    assert set(judged(blog, post, SHOPS)) <= {"links"}


# --- form ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"title": "AI agents for small shops " + "and more " * 6}, "characters"),
        ({"meta": "Too short."}, "meta has 10"),
        ({"slug": "../../etc/passwd"}, "slug"),
        ({"sections": SHOPS["sections"][:2]}, "2 sections"),
        ({"faq": SHOPS["faq"][:2]}, "2 questions"),
        ({"faq": SHOPS["faq"] * 2 + SHOPS["faq"][:1]}, "7 questions"),
        ({"title": "Bread and how it is baked at home"}, "does not name"),
        ({"title": "AI agents for small shops:\nwhere to begin"}, "one line"),
        ({"intro": "# AI agents for small shops\n\nYes."}, "heading within"),
    ],
)
def test_the_form_is_kept(blog, post, fields, said) -> None:
    assert said in judged(blog, post, changed(SHOPS, **fields))["structure"]


def test_a_thin_post_says_too_little(blog, post) -> None:
    document = deepcopy(SHOPS)
    for section in document["sections"]:
        section["text"] = "AI agents help small shops a lot."
    said = judged(blog, post, document)["structure"]
    assert "less than 30 words" in said and "400 or more" in said


def test_what_has_another_form_is_no_draft() -> None:
    with pytest.raises(Invalid, match="sections"):
        Draft.of({**SHOPS, "sections": "none"})
    with pytest.raises(Invalid, match="image"):
        Draft.of({**SHOPS, "image": "a.png"})


# --- truth --------------------------------------------------------------------------


def with_sentence(sentence: str, **fields: Any) -> dict[str, Any]:
    document = changed(SHOPS, **fields)
    document["sections"][0]["text"] += f" {sentence}"
    return document


@pytest.mark.parametrize(
    "sentence",
    [
        "It saves 40% of the time.",
        "In 2024 every third shop had one.",
        "As one owner said, “we would never go back to the old way”.",
        "Digiton is the largest agency in Portugal.",
        "Shopbots has lost most of its customers.",
    ],
)
def test_what_no_fact_says_is_not_claimed(blog, post, sentence) -> None:
    Competitor.objects.create(
        company=blog.site.company, name="Shopbots", base_url="https://shopbots.example"
    )
    assert "facts" in judged(blog, post, with_sentence(sentence))


def test_a_fact_that_is_not_cited_does_not_count(blog, post) -> None:
    said = judged(blog, post, changed(SHOPS, facts=[]))["facts"]
    assert "The number 7" in said and "Digiton checks" in said
    cited = [{"claim": "So it is.", "source_id": "f9"}]
    assert "no facts f9" in judged(blog, post, changed(SHOPS, facts=cited))["facts"]


def test_numbered_lists_claim_nothing(blog, post) -> None:
    document = with_sentence("\n\n1. Read the mail.\n2. Answer it.")
    assert "facts" not in judged(blog, post, document)


def rival(blog: Blog, text: str) -> None:
    one = Competitor.objects.create(
        company=blog.site.company, name="Shopbots", base_url="https://shopbots.example"
    )
    PageSnapshot.objects.create(
        company=blog.site.company,
        competitor=one,
        url="https://shopbots.example/agents",
        body_hash="a",
        status="ok",
        text=text,
        last_seen_at=AT,
    )


def test_what_stands_on_a_rivals_page_is_not_original(blog, post) -> None:
    taken = "\n".join(one["text"] for one in SHOPS["sections"])
    rival(blog, "Welcome. " + taken.replace("Digiton", "Shopbots").replace("7", "9"))
    said = judged(blog, post, SHOPS)["originality"]
    assert "shopbots.example/agents" in said


def test_one_long_run_of_words_is_enough(blog, post) -> None:
    sentence = " ".join(SHOPS["sections"][0]["text"].split()[:30])
    rival(blog, "Something else entirely. " * 20 + sentence)
    assert "25 words in a row" in judged(blog, post, SHOPS)["originality"]


def test_a_rivals_other_page_is_no_matter(blog, post) -> None:
    rival(blog, "\n".join(one["text"] for one in STOCK["sections"]))
    assert judged(blog, post, SHOPS) == {}


def test_a_post_with_other_words_in_it_is_the_same_post(blog, post) -> None:
    other = blog.live_post("bots", title="Bots", path="")
    document = deepcopy(SHOPS)
    for section in document["sections"]:
        section["text"] = section["text"].replace("agent", "helper")
    version(blog, other, document)
    assert "near_duplicate" in judged(blog, post, SHOPS)


# --- language -------------------------------------------------------------------------


def test_the_language_is_the_posts(blog, post) -> None:
    post.language = "pt"
    assert "“en”" in judged(blog, post, SHOPS)["language"]


def test_a_sentence_without_end_is_hard_to_read(blog, post) -> None:
    endless = "It goes on " + "and on and then on again " * 15 + "until it ends."
    assert "A sentence has" in judged(blog, post, with_sentence(endless))["language"]


# --- what a browser gets --------------------------------------------------------------


def test_three_links_to_live_posts_or_as_many_as_there_are(blog, post) -> None:
    live = [blog.live_post(f"word {n}", n) for n in range(4)]
    assert "fewer than 3" in judged(blog, post, SHOPS)["links"]
    good = with_links(SHOPS, *(one.pk for one in live[:3]))
    assert judged(blog, post, good) == {}
    source = post.drafted(Draft.of(good), blog.site, "CMO", AT).source
    assert all(f"]({one.url})" in source for one in live[:3]) and "post:" not in source
    twice = with_links(SHOPS, *(one.pk for one in [*live[:3], live[0]]))
    assert "Two links" in judged(blog, post, twice)["links"]
    Post.objects.filter(pk=live[0].pk).update(state="unpublished")
    assert "no live post" in judged(blog, post, good)["links"]


def test_posts_of_others_are_no_targets(blog, post, httpserver) -> None:
    theirs = Blog.set_up(httpserver).live_post("theirs")
    assert "links" in judged(blog, post, with_links(SHOPS, theirs.pk))


@pytest.mark.parametrize(
    "text",
    [
        "See [this](https://evil.example/).",
        "See <https://evil.example/>.",
        "See https://evil.example/ for more.",
        "See www.evil.example for more.",
        "See [this][1].\n\n[1]: https://evil.example/",
        "![pixel](https://evil.example/p.gif)",
        '<a href="https://evil.example/">this</a>',
        "[mail](mailto:a@evil.example)",
        "[x](javascript:alert(1))",
        "[x](//evil.example)",
    ],
)
def test_there_are_no_free_addresses(blog, post, text) -> None:
    found = judged(blog, post, with_sentence(f"\n\n{text}"))
    assert {"links", "sanitiser"} & set(found)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "<iframe></iframe>",
        "<style>body{display:none}</style>",
        "{{ config.items() }}",
        "{% include 'secrets' %}",
        "<%= system('id') %>",
        "\n\nimport fs from 'fs'",
        "\n\n[//]: # (paperclip: added later)",
        "<!-- hidden -->",
    ],
)
def test_there_is_nothing_but_text_in_it(blog, post, text) -> None:
    assert "sanitiser" in judged(blog, post, with_sentence(text))


def test_a_title_is_plain_text(blog, post) -> None:
    title = "AI agents for small shops <b>now</b>"
    assert "sanitiser" in judged(blog, post, changed(SHOPS, title=title))


def test_an_answer_cannot_break_out_of_its_script(blog, post) -> None:
    document = deepcopy(SHOPS)
    document["faq"][0]["answer"] = (
        "No </script><script>alert(1)</script>\u2028 & so on."
    )
    source = post.drafted(Draft.of(document), blog.site, "CMO", AT).source
    raw = render.head_of(source)["jsonLd"]
    assert not {"<", ">", "&", "\u2028"} & set(raw)
    about = render.graph_of(source)[2]["mainEntity"][0]["acceptedAnswer"]["text"]
    assert "</script" in about


def test_another_files_structured_data_is_seen(blog, post) -> None:
    text = Draft.of(SHOPS)
    source = post.drafted(text, blog.site, "CMO", AT).source
    for wrong in (
        source.replace("headline", "headlime"),
        source.replace(SHOPS["faq"][0]["question"], "Is it?", 1),
        source.replace(str(post.key), "0" * 8),
        "---\njsonLd: nothing\n---\n",
    ):
        found = gates.run(gates.Subject(blog.site, post, text, wrong, AT))
        assert not next(one for one in found if one["rule"] == "json_ld")["passed"]


def test_front_matter_cannot_be_broken_out_of(blog, post) -> None:
    title = "AI agents for small shops\n---\nadmin: true"
    source = post.drafted(
        Draft.of(changed(SHOPS, title=title)), blog.site, "CMO", AT
    ).source
    assert render.head_of(source)["title"] == title
    assert "admin" not in render.head_of(source)


def test_what_people_always_look_at() -> None:
    plain = Draft.of(SHOPS)
    assert facts.wants_a_person(plain, []) == ""
    legal = with_sentence("Ask a lawyer first.")
    assert "lawyer" in facts.wants_a_person(Draft.of(legal), [])
    named = with_sentence("Unlike Shopbots, it is calm.")
    assert "Shopbots" in facts.wants_a_person(Draft.of(named), ["Shopbots"])


def test_a_link_that_was_added_later_changes_nothing_above_it() -> None:
    source = "---\ntitle: a\n---\n\nText.\n"
    one = render.with_link(source, "First [1]", "https://a/b/1", "pt")
    both = render.with_link(one, "Second", "https://a/b/2", "pt")
    assert "## Relacionado" in one and one.count("## ") == both.count("## ") == 1
    assert render.with_link(both, "Second", "https://a/b/2", "pt") == both
    assert render.bare(both) == render.bare(one) == source
    assert render.without_link(both, "https://a/b/2") == one
    assert render.without_link(one, "https://a/b/1") == source


def test_versions_are_numbered(blog, post) -> None:
    version(blog, post, SHOPS)
    version(blog, post, SHOPS)
    assert [one.number for one in PostVersion.objects.filter(post=post)] == [2, 1]
