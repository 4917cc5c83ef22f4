"""Lists that a careless operator brings along."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from marketing.imports import CONTACT, KEYWORD
from marketing.models import Contact, Keyword
from marketing.tables import read_table
from paperclip.models import Activity
from tests import make
from tests.marketing import scene

pytestmark = pytest.mark.django_db
KEYWORDS, CONTACTS = "/marketing/import/keywords/", "/marketing/import/contacts/"


@pytest.fixture
def browser() -> Client:
    return scene.browser(make.company())


def send(browser: Client, url: str, data: bytes | str, do: str = "check") -> Any:
    if isinstance(data, bytes):
        file = SimpleUploadedFile("list.csv", data)
        return browser.post(url, {"file": file, "do": do})
    return browser.post(url, {"text": data, "do": do})


def test_a_list_is_shown_before_it_is_taken(browser: Client) -> None:
    """Excel's: a byte order mark, semicolons, capitals, empty lines, a line twice."""
    text = (
        "sep=;\r\nKEYWORD;Lingua;COUNTRY\r\nai agents;;PT\r\n;;\r\n\r\n"
        "AI  Agents;;PT\r\nchatbot för handel;;SE\r\n=HYPERLINK(A1);;PT\r\n"
        "@SUM(1);;\r\n#N/A;;\r\nlager;;Sweden\r\n"
    )
    acts = Activity.objects.count()
    answer = send(browser, KEYWORDS, b"\xef\xbb\xbf" + text.encode())
    page = answer.content.decode()
    assert not Keyword.objects.exists() and Activity.objects.count() == acts
    done = answer.context["done"]
    assert (done.made, done.known) == (2, 1)
    assert [(one.line, one.said[:9]) for one in done.problems] == [
        (8, "“=HYPERLI"), (9, "“@SUM(1)”"), (10, "“#N/A” is"), (11, "“Sweden” "),
    ]  # fmt: skip
    assert "not read: Lingua" in " ".join(page.split()) and "Import 2 lines" in page
    # What was shown is what is taken; what was left out is there to be corrected.
    answer = send(browser, KEYWORDS, answer.context["text"], "import")
    assert set(Keyword.objects.values_list("text", "country")) == {
        ("ai agents", "PT"), ("chatbot för handel", "SE"),
    }  # fmt: skip
    rest = answer.context["text"]
    assert (
        "lager" in rest
        and "ai agents" not in rest
        and "4 left out" in str(answer.content.decode())
    )
    good = "\n".join([rest.splitlines()[0], rest.splitlines()[-1]])
    answer = send(browser, KEYWORDS, good.replace("Sweden", "SE", 1), "import")
    assert answer.status_code == 302 and Keyword.objects.count() == 3


def test_latin_1_and_a_bare_list(browser: Client) -> None:
    answer = send(browser, KEYWORDS, "automação\nfödelsedag\n".encode("latin-1"))
    assert answer.context["text"].splitlines() == ["automação", "födelsedag"]
    assert answer.context["done"].made == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04rest", "Save as"),
        (b"outlet,category\n" + b"x,eu\n" * 10_000, "10,000 lines, and 5,000"),
        (b"x" * 2_000_001, "larger than 2 MB"),
        (b"surname;town\na;b\n", "names no column"),
        ("", "is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    browser: Client, data: bytes | str, said: str
) -> None:
    for do in ("check", "import"):
        answer = send(browser, CONTACTS, data, do)
        assert answer.status_code == 422 and said in answer.content.decode()
    assert not Contact.objects.exists()


def test_one_line_too_many_is_told_and_what_was_pasted_stays(browser: Client) -> None:
    for head, url in (("outlet,category\n", CONTACTS), ("", KEYWORDS)):
        line = "Paper {},eu\n" if head else "keyword {}\n"
        text = head + "".join(line.format(n) for n in range(5_001))
        for do in ("check", "import"):
            answer = send(browser, url, text, do)
            page = answer.content.decode()
            assert answer.status_code == 422
            assert "It has 5,001 lines, and 5,000 are taken at once" in page
            assert "Nothing was imported" in page and line.format(5_000) in page
        assert not Contact.objects.exists() and not Keyword.objects.exists()
        enough = text.rpartition(line.format(5_000))[0]
        columns = CONTACT if head else KEYWORD
        assert len(read_table(enough, columns).lines) == 5_000


def test_all_lines_are_taken_at_once_or_not_at_all(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "outlet,category\n" + "".join(f"Paper {n},eu\n" for n in range(200))
    assert send(browser, CONTACTS, text).context["done"].made == 200
    assert not Contact.objects.exists()

    save, saved = Contact.save, []

    def break_off(row: Contact, *args: Any, **options: Any) -> None:
        saved.append(row)
        if len(saved) == 100:
            raise OSError("The power is gone.")
        save(row, *args, **options)

    monkeypatch.setattr(Contact, "save", break_off)
    with pytest.raises(OSError, match="power"):
        send(browser, CONTACTS, text, "import")
    assert not Contact.objects.exists()
    monkeypatch.setattr(Contact, "save", save)
    assert send(browser, CONTACTS, text, "import").status_code == 302
    assert Contact.objects.count() == 200
    assert not Contact.objects.filter(is_on=True).exists()


def test_contacts_are_the_admins_business() -> None:
    client = scene.browser(make.company(), "operator")
    assert client.get(KEYWORDS).status_code == 200
    assert client.get(CONTACTS).status_code == 403
    assert "Import a list" in client.get("/marketing/keywords/").content.decode()
    assert "Import a list" not in client.get("/marketing/contacts/").content.decode()


def test_our_own_list_is_there_to_begin_with(browser: Client) -> None:
    assert "?starter" in browser.get(KEYWORDS).content.decode()
    assert "?starter" not in browser.get(CONTACTS).content.decode()
    text = browser.get(f"{KEYWORDS}?starter").context["text"]
    send(browser, KEYWORDS, text, "import")
    assert Keyword.objects.count() >= 20
    assert browser.get(f"{CONTACTS}?starter").context["text"] == ""
