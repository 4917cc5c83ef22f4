"""The pages of the marketing: address, view and name."""

from collections.abc import Callable

from django.http import HttpResponse

from marketing.views import (
    contacts,
    gaps,
    imports,
    listing,
    outreach,
    posts,
    ranks,
    results,
    room,
    site,
    told,
)

PAGES: list[tuple[str, Callable[..., HttpResponse], str]] = [
    ("marketing/", room.room, "marketing"),
    ("marketing/stop", room.stop, "marketing_stop"),
    ("marketing/jobs/<str:job>/run", room.run, "job_run"),
    ("marketing/jobs/<str:job>/switch", room.switch, "job_switch"),
    ("marketing/jobs/<str:job>/every", room.every, "job_every"),
    ("marketing/site/", site.site, "site_setup"),
    ("marketing/site/credentials", site.try_credentials, "credentials"),
    ("marketing/import/keywords/", imports.keywords, "import_keywords"),
    ("marketing/import/contacts/", imports.contacts, "import_contacts"),
    ("marketing/gaps/", gaps.gaps, "gaps"),
    ("marketing/gaps/<uuid:pk>/dismiss", gaps.dismiss, "gap_dismiss"),
    ("marketing/rivals/<uuid:pk>", gaps.rival, "rival"),
    ("marketing/posts/", posts.posts, "posts"),
    ("marketing/posts/<uuid:pk>", posts.post, "post"),
    ("marketing/posts/<uuid:pk>/edit", posts.edit, "post_edit"),
    ("marketing/posts/<uuid:pk>/unpublish", posts.unpublish, "post_unpublish"),
    ("marketing/ranks/", ranks.ranks, "ranks"),
    ("marketing/ranks/<uuid:pk>", ranks.keyword, "rank"),
    ("marketing/outreach/", outreach.ledger, "outreach"),
    ("marketing/outreach/<uuid:pk>", outreach.message, "message"),
    ("marketing/outreach/<uuid:pk>/edit", outreach.edit, "message_edit"),
    ("marketing/outreach/<uuid:pk>/drop", outreach.drop, "message_drop"),
    ("marketing/outreach/<uuid:pk>/settle", outreach.settle, "message_settle"),
    ("marketing/mailboxes/<uuid:pk>/test", outreach.test, "mailbox_test"),
    ("marketing/listing/<uuid:pk>", listing.listing, "listing"),
    ("marketing/listing/<uuid:pk>/submit", listing.submit, "listing_submit"),
    ("marketing/listing/<uuid:pk>/drop", listing.drop, "listing_drop"),
    ("marketing/listing/<uuid:pk>/terms", listing.terms, "listing_terms"),
    ("marketing/contacts/<uuid:pk>/switch", contacts.switch, "contact_switch"),
    ("marketing/contacts/<uuid:pk>/same", contacts.same, "contact_same"),
    ("marketing/templates/<uuid:pk>/approval", contacts.approval, "template_approval"),
    ("marketing/indexnow/", told.told, "indexnow"),
    ("marketing/results/", results.show, "results"),
    ("marketing/results/pdf", results.pdf, "results_pdf"),
    ("marketing/results/mail", results.send, "results_mail"),
]
