"""The small tools that Dev is asked for, one per story. Each is written three times:
with the planted bug, with half of a fix, and right. Running them tells them apart."""

from __future__ import annotations

from dataclasses import dataclass

Edit = tuple[str, str]


@dataclass(frozen=True)
class Kit:
    """`half` are edits of `first`, and `whole` of what comes out of that. `use` is how
    it is called for a post, with {title}, {file} and {keyword}."""

    module: str
    title: str
    wanted: str
    first: str
    own_test: str
    review: str
    half: list[Edit]
    whole: list[Edit]
    suspect: str
    cause: str
    use: str

    @property
    def file(self) -> str:
        return f"tools/{self.module}.py"

    @property
    def test_file(self) -> str:
        return f"tests/test_{self.module}.py"


def tests(module: str, *cases: str) -> str:
    """A test file: one line per case, `name: expression`."""
    written = []
    for case in cases:
        name, says = case.split(": ", 1)
        written.append(f"    def test_{name}(self):\n        {says}\n")
    return (
        f"import unittest\n\nfrom tools import {module}\n\n\n"
        "class Tests(unittest.TestCase):\n" + "\n".join(written)
    )


TEXT_OF = '''
def text_of(file):
    """The words of a page, without its marks, styles and data."""
    with open(file, encoding="utf-8") as page:
        body = re.sub(r"<(script|style|head).*?</\\1>", " ", page.read(), flags=re.S)
    return html.unescape(re.sub(r"<[^>]+>", " ", body))
'''

SLUGS = Kit(
    module="slugs",
    title="Build a tool that makes addresses from titles",
    wanted=(
        "`tools/slugs.py` with `slug(title)`: small letters, digits and single hyphens,"
        " none at the ends. Letters with accents become plain ones. On the command"
        " line:"
        ' `python3 tools/slugs.py "A title"` prints the address.'
    ),
    first='''"""Addresses of posts, made from their titles."""

import re
import sys


def slug(title):
    """The title in small letters, with hyphens between the words."""
    return re.sub(r"\\s+", "-", title.lower())


if __name__ == "__main__":
    print(slug(sys.argv[1]))
''',
    own_test=tests(
        "slugs", 'words: self.assertEqual(slugs.slug("Reading time"), "reading-time")'
    ),
    review=tests(
        "slugs",
        'words: self.assertEqual(slugs.slug("Reading time"), "reading-time")',
        'marks: self.assertEqual(slugs.slug("What is SEO?"), "what-is-seo")',
        'accents: self.assertEqual(slugs.slug("Café menus"), "cafe-menus")',
    ),
    half=[
        (
            'return re.sub(r"\\s+", "-", title.lower())',
            'return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")',
        )
    ],
    whole=[
        ("import sys\n", "import sys\nimport unicodedata\n"),
        (
            'return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")',
            'plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore")\n'
            '    return re.sub(r"[^a-z0-9]+", "-", plain.decode().lower()).strip("-")',
        ),
    ],
    suspect='"-", title.lower()).strip',
    cause=(
        "it drops every letter outside a-z, so a letter with an accent is lost. The"
        " title has to be folded to plain letters (NFKD) before anything is dropped"
    ),
    use='python3 -B tools/slugs.py "{title}"',
)

READING_TIME = Kit(
    module="reading_time",
    title="Build a tool that tells the reading time of a post",
    wanted=(
        "`tools/reading_time.py` with `minutes(text)`: whole minutes at 200 words a"
        " minute, rounded up; no words are 0 minutes. On the command line:"
        " `python3 tools/reading_time.py PAGE` prints the minutes of a page."
    ),
    first=f'''"""How long a post takes to read."""

import html
import re
import sys

WORDS_A_MINUTE = 200


def minutes(text):
    """Whole minutes for the words of the text."""
    words = len(text.split())
    return words // WORDS_A_MINUTE

{TEXT_OF}

if __name__ == "__main__":
    print(minutes(text_of(sys.argv[1])))
''',
    own_test=tests(
        "reading_time",
        'two: self.assertEqual(reading_time.minutes("word " * 400), 2)',
    ),
    review=tests(
        "reading_time",
        'two: self.assertEqual(reading_time.minutes("word " * 400), 2)',
        'short: self.assertEqual(reading_time.minutes("word " * 50), 1)',
        'rounded_up: self.assertEqual(reading_time.minutes("word " * 201), 2)',
        'empty: self.assertEqual(reading_time.minutes(""), 0)',
    ),
    half=[
        ("return words // WORDS_A_MINUTE", "return max(1, words // WORDS_A_MINUTE)"),
    ],
    whole=[
        (
            "return max(1, words // WORDS_A_MINUTE)",
            "return -(-words // WORDS_A_MINUTE)",
        ),
    ],
    suspect="max(1, words",
    cause=(
        "the division rounds down, and `max` hides that for short texts only. It has to"
        " round up, which also gives 0 for no words"
    ),
    use='python3 -B tools/reading_time.py "{file}"',
)

SNIPPETS = Kit(
    module="snippets",
    title="Build a tool that checks titles and descriptions",
    wanted=(
        "`tools/snippets.py` with `problems(title, description)`: a list of sentences,"
        " empty when both are there and the title has at most 60 and the description at"
        " most 155 characters. On the command line: `python3 tools/snippets.py PAGE`"
        " prints them, or `fits`."
    ),
    first='''"""Whether a search engine shows title and description of a page whole."""

import html
import re
import sys


def problems(title, description):
    """What is wrong, one sentence each."""
    found = []
    if not title:
        found.append("There is no title.")
    if len(title) > 70:
        found.append(f"The title has {len(title)} characters.")
    if not description:
        found.append("There is no description.")
    if len(description) > 170:
        found.append(f"The description has {len(description)} characters.")
    return found


def part(pattern, page):
    found = re.search(pattern, page, flags=re.S)
    return html.unescape(found[1].strip()) if found else ""


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        page = file.read()
    title = part(r"<title>(.*?)</title>", page)
    description = part(r'<meta name="description" content="(.*?)">', page)
    print("\\n".join(problems(title, description)) or "fits")
''',
    own_test=tests(
        "snippets",
        'both: self.assertEqual(snippets.problems("A title", "A text."), [])',
        'none: self.assertEqual(len(snippets.problems("", "")), 2)',
    ),
    review=tests(
        "snippets",
        'both: self.assertEqual(snippets.problems("t" * 60, "d" * 155), [])',
        'none: self.assertEqual(len(snippets.problems("", "")), 2)',
        'title: self.assertEqual(len(snippets.problems("t" * 61, "d")), 1)',
        'description: self.assertEqual(len(snippets.problems("t", "d" * 156)), 1)',
    ),
    half=[("if len(title) > 70:", "if len(title) > 60:")],
    whole=[("if len(description) > 170:", "if len(description) > 155:")],
    suspect="if len(description) > 170",
    cause=(
        "the limit of the description is a number of its own and was left at 170 when"
        " the title's was put right. It has to be 155"
    ),
    use='python3 -B tools/snippets.py "{file}"',
)

KEYWORDS = Kit(
    module="keywords",
    title="Build a tool that counts a keyword in a post",
    wanted=(
        "`tools/keywords.py` with `count(text, phrase)`: how often the phrase stands in"
        " the text as whole words, in capitals or not. On the command line:"
        " `python3 tools/keywords.py PAGE PHRASE` prints the number."
    ),
    first=f'''"""How often a page says what it is about."""

import html
import re
import sys


def count(text, phrase):
    """How often the phrase stands in the text."""
    return text.count(phrase)

{TEXT_OF}

if __name__ == "__main__":
    print(count(text_of(sys.argv[1]), sys.argv[2]))
''',
    own_test=tests(
        "keywords", 'two: self.assertEqual(keywords.count("seo and seo", "seo"), 2)'
    ),
    review=tests(
        "keywords",
        'two: self.assertEqual(keywords.count("seo and seo", "seo"), 2)',
        'capitals: self.assertEqual(keywords.count("SEO first", "seo"), 1)',
        'whole_words: self.assertEqual(keywords.count("a museo", "seo"), 0)',
    ),
    half=[
        ("return text.count(phrase)", "return text.lower().count(phrase.lower())"),
    ],
    whole=[
        (
            "return text.lower().count(phrase.lower())",
            'whole = rf"\\b{re.escape(phrase)}\\b"\n'
            "    return len(re.findall(whole, text, flags=re.I))",
        )
    ],
    suspect="text.lower().count(",
    cause=(
        "`str.count` finds the letters anywhere, also inside a longer word. It has to"
        " look for whole words"
    ),
    use='python3 -B tools/keywords.py "{file}" "{keyword}"',
)

KITS = [SLUGS, READING_TIME, SNIPPETS, KEYWORDS]
