"""Which folder holds what was sent, on servers as they are."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes

import pytest

from marketing.models import Mailbox, Site
from marketing.outreach import imap, mail, sending, sent
from paperclip.actors import SYSTEM
from tests.mailserver import Store
from tests.mailserver import mail as mailserver
from tests.marketing import mailworld, scene
from tests.marketing.mailworld import AT

pytestmark = pytest.mark.django_db(transaction=True)
OTHERS = ['(\\HasNoChildren) "/" "INBOX"', '(\\HasNoChildren) "/" "Drafts"']
GMAIL = [
    '(\\HasNoChildren) "/" "INBOX"',
    '(\\HasChildren \\Noselect) "/" "[Gmail]"',
    '(\\All \\HasNoChildren) "/" "[Gmail]/All Mail"',
]
# What LIST says, and the name of the folder that is meant, as people read it.
CASES = {
    "Gmail": ([*GMAIL, '(\\Sent) "/" "[Gmail]/Sent Mail"'], "[Gmail]/Sent Mail"),
    "Gmail in Portuguese": (
        [*GMAIL, '(\\HasNoChildren \\Sent) "/" "[Gmail]/E-mails enviados"'],
        "[Gmail]/E-mails enviados",
    ),
    "Exchange, which marks nothing": (
        [*OTHERS, '(\\HasNoChildren) "/" "Sent Items"'],
        "Sent Items",
    ),
    "Dovecot beneath the inbox": (
        ['(\\HasChildren) "." INBOX', '(\\HasNoChildren) "." INBOX.Sent'],
        "INBOX.Sent",
    ),
    "Dovecot that marks it": (
        ['(\\HasChildren) "." INBOX', '(\\HasNoChildren \\Sent) "." INBOX.Sent'],
        "INBOX.Sent",
    ),
    "the mark in other letters": ([*OTHERS, '(\\SENT) "/" "Post"'], "Post"),
    "German Apple": ([*OTHERS, '() "/" "Gesendete Objekte"'], "Gesendete Objekte"),
    "German Outlook": (
        [*OTHERS, '() "/" "Gesendete Elemente"'],
        "Gesendete Elemente",
    ),
    "Portuguese": ([*OTHERS, '() "/" "Itens enviados"'], "Itens enviados"),
    "Portuguese in capitals": ([*OTHERS, '() "/" "Itens Enviados"'], "Itens Enviados"),
    "Spanish": ([*OTHERS, '() "/" "Elementos enviados"'], "Elementos enviados"),
    "French, in modified UTF-7": (
        [*OTHERS, '() "/" "&AMk-l&AOk-ments envoy&AOk-s"'],
        "Éléments envoyés",
    ),
    "French beneath the inbox": (
        [*OTHERS, '() "." "INBOX.&AMk-l&AOk-ments envoy&AOk-s"'],
        "INBOX.Éléments envoyés",
    ),
    "French, letters and accents apart": (
        [*OTHERS, '() "/" "E&AwE-le&AwE-ments envoye&AwE-s"'],
        "E\u0301le\u0301ments envoye\u0301s",
    ),
    "an ampersand and a quote in names": (
        [*OTHERS, '() "/" "Friends &- \\"Co\\""', '() "/" "Sent"'],
        "Sent",
    ),
    "the mark before the name": (
        [*OTHERS, '() "/" "Sent"', '(\\Sent) "/" "Outbox 2"'],
        "Outbox 2",
    ),
    "an older name beside the newer": (
        [*OTHERS, '() "/" "Sent Messages"', '() "/" "Sent"'],
        "Sent",
    ),
    "somebody's own folder of that name": ([*OTHERS, '() "/" "Projects/Sent"'], None),
    "one that cannot be opened": ([*OTHERS, '(\\Noselect \\Sent) "/" "Sent"'], None),
    "no hierarchy": (['() NIL "INBOX"', '() NIL "Sent"'], "Sent"),
    "none": (OTHERS, None),
}


@pytest.fixture
def site() -> Site:
    return scene.site()


@pytest.fixture
def store() -> Iterator[Store]:
    with mailserver() as (one, _smtp, _imap):
        one.folders = {"INBOX": []}
        yield one


def mailbox(site: Site, store: Store, smtp: int = 1) -> Mailbox:
    return mailworld.mailbox(site, smtp, store.port, sent_copy="append")


def copied(box: Mailbox, number: int = 1) -> str:
    """Its Message-ID, when a mail was sent and its copy was taken care of, twice."""
    one = mailworld.message(box, mailworld.contact(box_site(box), number))
    with mail.Outbox(box, by=SYSTEM) as outbox:
        sending.send(one, outbox, clock=lambda: AT, by=SYSTEM)
    one.refresh_from_db()
    for _ in range(2):
        assert sent.keep_copy(one, by=SYSTEM) == ""
    return one.message_id


def box_site(box: Mailbox) -> Site:
    return Site.objects.get(company=box.company)


def ids(store: Store, folder: str) -> list[str]:
    letters = [letter for _at, letter in store.folders[folder]]
    return [str(message_from_bytes(letter)["Message-ID"]) for letter in letters]


@pytest.mark.parametrize("case", CASES)
def test_the_folder_is_found(site, store, case) -> None:
    store.listed, wanted = CASES[case]
    with imap.opened(mailbox(site, store), by=SYSTEM) as server:
        assert imap.sent_folder(server) == wanted


@pytest.mark.parametrize(
    "listed",
    [
        '() "/" "Sent Items"',
        '() "." INBOX.Sent',
        '() "/" "Itens enviados"',
        '() "/" "&AMk-l&AOk-ments envoy&AOk-s"',
        '(\\Sent) "/" "Gesendete Objekte"',
    ],
)
def test_a_copy_is_put_there_once_and_found(site, store, listed) -> None:
    name = listed.split('"', 2)[2].strip(' "')
    store.listed, store.folders[name] = [*OTHERS, listed], []
    with mailworld.scripted() as (_script, smtp):
        box = mailbox(site, store, smtp)
        message_id = copied(box)
    assert ids(store, name) == [message_id] and len(store.folders) == 2
    with imap.opened(box, by=SYSTEM) as server:
        assert imap.is_in_sent(server, message_id)
        assert not imap.is_in_sent(server, "<another@us.example>")


def test_what_folders_are_for_is_asked_where_a_server_tells_only_then(site, store):
    """RFC 6154: it may leave it out of a plain LIST."""
    store.can = ["SPECIAL-USE", "LIST-EXTENDED"]
    store.listed = [*OTHERS, '() "/" "Archive &- Sent"', '() "/" "Sent"']
    store.special = [*OTHERS, '(\\Sent) "/" "Archive &- Sent"', '() "/" "Sent"']
    with imap.opened(mailbox(site, store), by=SYSTEM) as server:
        assert imap.sent_folder(server) == "Archive & Sent"


def test_a_server_that_keeps_its_own_copies_gets_no_second_one(site, store) -> None:
    """Gmail files what its SMTP has taken, a moment later: nothing is there yet."""
    store.can, store.listed = ["X-GM-EXT-1", "SPECIAL-USE"], CASES["Gmail"][0]
    store.special, name = store.listed, "[Gmail]/Sent Mail"
    store.folders[name] = []
    with mailworld.scripted() as (_script, smtp):
        copied(mailbox(site, store, smtp))
    assert store.folders[name] == []


@pytest.mark.parametrize(("can", "name"), [([], "Sent"), (["NAMESPACE"], "INBOX.Sent")])
def test_where_there_is_none_it_is_made_where_folders_are(site, store, can, name):
    store.can, store.listed = can, ['() "." INBOX']
    with mailworld.scripted() as (_script, smtp):
        message_id = copied(mailbox(site, store, smtp))
    assert ids(store, name) == [message_id]


# --- the id is looked up as it is -------------------------------------------------

ODD = [
    '<a"quote@us.example>',
    "<back\\slash@us.example>",
    "<with space@us.example>",
    "<(comment)@us.example>",
    "<100%*{5}@[127.0.0.1]>",
    "<it's+one@us.example>",
]


def letter(message_id: str) -> bytes:
    return f"Message-ID: {message_id}\r\nSubject: x\r\n\r\nHello\r\n".encode()


def found(box: Mailbox) -> list[str]:
    with imap.opened(box, by=SYSTEM) as server:
        return [odd for odd in ODD if imap.is_in_sent(server, odd)]


def test_an_id_is_looked_up_whatever_stands_in_it(site, store) -> None:
    store.listed, store.folders["Sent"] = ['() "/" Sent'], []
    box = mailbox(site, store)
    assert found(box) == []
    store.folders["Sent"] += [(0.0, letter(odd)) for odd in ODD]
    assert found(box) == [*ODD]


def test_a_server_of_the_field_understands_the_search(site) -> None:
    with mailworld.post() as post:
        box = mailworld.mailbox(site, 1, post.imap)
        post.put("Sent", letter("<plain@us.example>"))
        assert found(box) == []
        post.put("Sent", letter(ODD[-1]))
        assert found(box) == ODD[-1:]
