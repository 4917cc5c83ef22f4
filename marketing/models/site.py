"""Whose marketing it is: the site, what may be said of it, and where its tools are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from issues.models import Goal, Project
from marketing.web.addresses import host_of
from paperclip import audit, live
from paperclip.exceptions import Invalid
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paperclip.actors import Actor
    from paperclip.models import Company

# Where each service is, unless the site says otherwise: a rehearsal's are on loopback.
ENDPOINTS = {
    "indexnow": "https://api.indexnow.org/indexnow",
    "vercel": "https://api.vercel.com",
    "gsc": "https://www.googleapis.com",
    "google_token": "https://oauth2.googleapis.com/token",
    "bing": "https://ssl.bing.com/webmaster/api.svc/json",
    "serper": "https://google.serper.dev",
    "dataforseo": "https://api.dataforseo.com",
}
# The settings that hold secrets: bound as SecretBindings of the kind "site", with these
# paths.
SECRETS = {
    "repo_token": _("Token for the repository"),
    "deploy_hook": _("Address of the deploy hook"),
    "vercel_token": _("Vercel token"),
    "gsc_credentials": _("Search Console credentials (JSON of a service account)"),
    "bing_key": _("Bing Webmaster API key"),
    "serp_key": _("Key of the SERP vendor"),
}
# The owner's rule, not a setting.
MOST_A_DAY = 3


def empty_list() -> list[Any]:
    return []


def by_id(facts: Iterable[dict[str, str]]) -> dict[str, str]:
    return {str(fact["id"]): str(fact["text"]) for fact in facts}


def problems_of(row: models.Model, exclude: set[str]) -> None:
    """Invalid when the row's fields do not fit, naming each. Whether there is another
    like it is the database's to say."""
    try:
        row.clean_fields(exclude=exclude)
    except ValidationError as error:
        said = {name: " ".join(told) for name, told in error.message_dict.items()}
        text = " ".join(f"{name}: {told}" for name, told in said.items())
        raise Invalid(text, **said) from None


class SiteQuerySet(ScopedQuerySet):
    def of(self, company_id: Any) -> Site:
        """The company's site. DoesNotExist when it has none."""
        rows = self.select_related("agent", "company")
        site: Site = rows.get(company=company_id)
        return site

    @transaction.atomic
    def set_up(
        self,
        company: Company,
        *,
        by: Actor,
        keywords: Iterable[str] = (),
        rivals: Iterable[dict[str, str]] = (),
        **fields: Any,
    ) -> Site:
        """The site of the company, with these fields; what is not named stays as it is.
        The first time its six jobs get their lines in Celery Beat, and what is written
        to outside its rules, templates and outlets (without addresses, and off).

        `keywords` and `rivals` ({name, base_url}) are added. Without an agent it is the
        company's CMO, without an IndexNow key a new one. Invalid for a field that does
        not fit, and for rows of another company.
        """
        from marketing import setup

        by.must_be_operator(company.pk, "set the site up")
        site = self.select_for_update(of=("self",)).filter(company=company).first()
        made, site = site is None, site or Site(company=company)
        setup.fill(site, fields)
        problems_of(site, exclude={"company", "agent"})
        site.save(force_insert=made)
        audit.record(by, "site.set_up", site, fields=sorted(fields), new=made)
        setup.seed(site, keywords, rivals, by=by)
        live.changed(company.pk)
        kept: Site = site
        return kept


class Site(Scoped):
    """One per company. The lists are of texts; `facts` of {id, text, source_url}: what
    a post or a pitch may claim, and nothing else.

    `endpoints` replaces addresses of ENDPOINTS; it is the system's to write: whoever
    verifies looks there.
    """

    class Deploy(models.TextChoices):
        PUSH = "push", _("the push deploys")
        HOOK = "hook", _("a deploy hook is called")

    agent = models.ForeignKey(
        Agent,
        models.SET_NULL,
        null=True,
        verbose_name=_("agent"),
        related_name="+",
        help_text=_("Whose jobs they are, and whose budget pays."),
    )
    project = models.ForeignKey(
        Project, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    goal = models.ForeignKey(
        Goal, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    name = models.CharField(_("name"), max_length=120)
    base_url = models.URLField(_("address"), max_length=300)
    hosts = models.JSONField(
        default=empty_list, blank=True, help_text=_("Further hosts that are ours.")
    )
    languages = models.JSONField(default=empty_list, blank=True)
    countries = models.JSONField(default=empty_list, blank=True)
    tone = models.TextField(_("tone"), blank=True)
    topics = models.JSONField(default=empty_list, blank=True)
    facts = models.JSONField(default=empty_list, blank=True)
    brands = models.JSONField(
        default=empty_list, blank=True, help_text=_("Our names; never keywords.")
    )
    author = models.CharField(max_length=120, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    sitemap_url = models.URLField(max_length=300, blank=True)
    feed_url = models.URLField(max_length=300, blank=True)

    indexnow_key = models.CharField(_("IndexNow key"), max_length=128, blank=True)
    indexnow_key_url = models.URLField(max_length=300, blank=True)

    repo_url = models.CharField(_("repository"), max_length=300, blank=True)
    repo_branch = models.CharField(_("branch"), max_length=100, default="main")
    post_path = models.CharField(
        _("file of a post"), max_length=200, default="content/blog/{slug}.md"
    )
    post_url = models.CharField(
        _("address of a post"), max_length=200, default="/blog/{slug}"
    )
    deploy_trigger = models.CharField(
        max_length=8, choices=Deploy.choices, default=Deploy.PUSH
    )
    vercel_project = models.CharField(max_length=100, blank=True)
    max_posts_per_day = models.PositiveSmallIntegerField(
        _("posts a day at most"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_A_DAY)],
    )
    writer_model = models.CharField(
        _("model that writes"),
        max_length=120,
        blank=True,
        help_text=_("Empty: the agent's own."),
    )

    gsc_property = models.CharField(
        _("Search Console property"), max_length=200, blank=True
    )
    bing_site = models.CharField(_("Bing site"), max_length=200, blank=True)
    serp_vendor = models.CharField(
        _("SERP vendor"),
        max_length=16,
        blank=True,
        choices=[("serper", "Serper"), ("dataforseo", "DataForSEO")],
    )
    serp_monthly_cents = models.PositiveIntegerField(
        _("cents a month for the vendor"), default=0
    )
    endpoints = models.JSONField(default=dict, blank=True, editable=False)
    # The switch for all jobs at once.
    is_stopped = models.BooleanField(_("all jobs stopped"), default=False)

    objects = SiteQuerySet.as_manager()

    class Meta:
        verbose_name = _("site")
        constraints = [
            models.UniqueConstraint(fields=["company"], name="one_site_per_company"),
            models.CheckConstraint(
                condition=models.Q(max_posts_per_day__range=(1, MOST_A_DAY)),
                name="posts_a_day_are_few",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def host(self) -> str:
        return host_of(self.base_url)

    @property
    def own_hosts(self) -> set[str]:
        return {self.host, *(str(one).lower() for one in self.hosts)}

    @property
    def language(self) -> str:
        """The one that it is written in first."""
        return str((self.languages or ["en"])[0])[:8]

    @property
    def posts_a_day(self) -> int:
        """How many may be published in 24 hours, whatever the setting says."""
        return min(int(self.max_posts_per_day), MOST_A_DAY)

    def endpoint(self, service: str) -> str:
        """Where a service of ENDPOINTS is. KeyError for an unknown one."""
        return str(self.endpoints.get(service) or ENDPOINTS[service]).rstrip("/")

    @transaction.atomic
    def switch(self, on: bool, *, by: Actor) -> None:
        """Let its jobs run, or none of them: what runs ends before its next effect. The
        same again changes nothing."""
        by.must_be_operator(self.company_id, "switch a job")
        rows = Site.objects.filter(pk=self.pk, is_stopped=on)
        if rows.update(is_stopped=not on):
            audit.record(by, "site.jobs_resumed" if on else "site.jobs_stopped", self)
            live.changed(self.company_id)
        self.refresh_from_db()

    def is_ours(self, url: str) -> bool:
        return host_of(url) in self.own_hosts

    def facts_by_id(self) -> dict[str, str]:
        return by_id(self.facts)
