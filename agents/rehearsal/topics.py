"""What the sites of the rehearsal write about: a keyword, how titles say it, a post."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    keyword: str
    titles: tuple[str, str, str]
    question: str
    description: str
    sections: tuple[tuple[str, str], ...]


TOPICS = [
    Topic(
        "local seo checklist",
        (
            "A local SEO checklist for shops",
            "The local SEO checklist we use ourselves",
            "Local SEO checklist: ten things in one hour",
        ),
        "What does a shop with one door have to do to be found nearby?",
        "A local SEO checklist for a shop with one door: seven things to do this week,"
        " in the order in which they matter.",
        (
            (
                "Say where you are",
                "Put name, address and telephone number on every page, in the same"
                " words everywhere. Whoever looks for a shop nearby is shown those"
                " whose address can be read without guessing.",
            ),
            (
                "Answer what people ask at the counter",
                "Opening hours, parking, prices and what to bring are asked every day."
                " Each of these questions deserves one short page of its own.",
            ),
            (
                "Ask for reviews, never buy them",
                "Ask after a job well done, give the link, and answer every review, the"
                " bad ones first. Bought ones are found and cost more than they bring.",
            ),
        ),
    ),
    Topic(
        "page speed budget",
        (
            "Set a page speed budget",
            "Why every team needs a page speed budget",
            "A page speed budget in three numbers",
        ),
        "How slow may a page of a small business be?",
        "A page speed budget for a small site: three numbers that can be measured, and"
        " what to leave out when they are passed.",
        (
            (
                "Three numbers are enough",
                "Write down how many kilobytes, requests and seconds a page may have on"
                " a slow telephone. What is not written down is passed within a month.",
            ),
            (
                "Pictures first",
                "On most small sites pictures are four of every five bytes. Send them"
                " in the size in which they are shown, and load the lower ones late.",
            ),
            (
                "Hold every change against it",
                "A page speed budget helps only when it is looked at before a change is"
                " published, not after visitors have left.",
            ),
        ),
    ),
    Topic(
        "email subject lines",
        (
            "Email subject lines that get opened",
            "Forty email subject lines, compared",
            "How long should email subject lines be?",
        ),
        "Which subject line makes somebody open a newsletter?",
        "Email subject lines for a small newsletter: how long, what to say first, and"
        " how to find out which of two works better.",
        (
            (
                "Say what is inside",
                "Email subject lines are promises. Name the one thing the reader gets,"
                " and put it in the first five words: a telephone shows no more.",
            ),
            (
                "Ask two, not ten",
                "Send half of the list one line and half the other, and write down what"
                " you expected before you look. Ten lines at once tell you nothing.",
            ),
            (
                "Leave out the tricks",
                "A false Re: gets one more opening and one less reader. Capitals and"
                " exclamation marks are read by filters first and by people never.",
            ),
        ),
    ),
    Topic(
        "landing page length",
        (
            "Landing page length: short or long?",
            "What we learned about landing page length",
            "The right landing page length",
        ),
        "How long should a page be that is to sell one thing?",
        "Landing page length depends on one thing: how much a visitor must know to say"
        " yes. How to find out, with an example.",
        (
            (
                "Count the questions",
                "List what a visitor must know before saying yes. Landing page length"
                " follows from that list: one short part per question, in that order.",
            ),
            (
                "Let people leave early",
                "Put the button after the first answer and after the last. Who knows"
                " enough should not have to scroll.",
            ),
            (
                "Measure where they stop",
                "If most visitors never reach the last third, it is too long, or the"
                " second third answers a question nobody has.",
            ),
        ),
    ),
    Topic(
        "internal linking",
        (
            "Internal linking for beginners",
            "Internal linking: the free ranking factor",
            "Internal linking without plugins",
        ),
        "Which pages of a site should link to which?",
        "Internal linking for a small site: which page links to which, what the words"
        " of a link should say, and how to find the forgotten ones.",
        (
            (
                "From the visited to the useful",
                "Internal linking means that the pages people find lead to the pages"
                " that help them on. Begin with the three pages that get most visits.",
            ),
            (
                "Say where a link goes",
                "The words of a link are a title for the page behind it. Here and more"
                " tell neither a reader nor a search engine anything.",
            ),
            (
                "Find the forgotten",
                "A page without any link to it is found by nobody. Count once a month"
                " how many links each page gets.",
            ),
        ),
    ),
    Topic(
        "content brief",
        (
            "A content brief on one page",
            "How to write a content brief",
            "The content brief template we share",
        ),
        "What must a writer know before writing a post?",
        "A content brief on one page: the question, the reader, the facts and their"
        " sources, and how to tell when the post is done.",
        (
            (
                "One question",
                "A content brief names one question and the person who asks it. Two"
                " questions are two posts.",
            ),
            (
                "Facts with their sources",
                "List what may be said and where it is from. What has no source is an"
                " opinion, and is written as one.",
            ),
            (
                "When it is done",
                "Say before the writing how it will be checked: length, title, links,"
                " what a reader can do afterwards.",
            ),
        ),
    ),
]
BY_KEYWORD = {topic.keyword: topic for topic in TOPICS}
