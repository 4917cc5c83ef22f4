from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models.secret_binding import SecretBinding
from agents.models.secret_version import SecretVersion
from paperclip import audit, sql
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.models import Company, Scoped, ScopedQuerySet
from paperclip.scrub import SHORTEST, Scrubber

if TYPE_CHECKING:
    from uuid import UUID

    from paperclip.actors import Actor

NAME = re.compile(r"[\w](?:[\w .:/@-]{0,118}[\w])?")
LONGEST = 16_384
# Greek and Cyrillic letters, as capitals, that look like a Latin one; and what looks
# like a number.
TWINS = {
    **{"a": "\u03b1\u0430", "b": "\u03b2\u0432", "c": "\u0441", "e": "\u03b5\u0435"},
    **{"h": "\u03b7\u043d", "j": "\u0458", "k": "\u03ba\u043a", "m": "\u03bc\u043c"},
    **{"n": "\u03bd", "p": "\u03c1\u0440", "s": "\u0455", "t": "\u03c4\u0442"},
    **{"x": "\u03c7\u0445", "y": "\u03c5\u0443", "z": "\u03b6"},
    **{"0": "o\u03bf\u043e", "1": "il\u03b9\u0456\u04cf"},
}
ALIKE = str.maketrans({twin: one for one, twins in TWINS.items() for twin in twins})
BETWEEN = re.compile(r"[\s_-]+")
# Nothing is enclosed with a key that a rotation has just dropped.
LOCK = "vault"


def must_keep_secrets(by: Actor, company_id: UUID) -> None:
    """NotAllowed for agents, for viewers and for the program of a run with a person's
    key: who keeps secrets sits at a keyboard."""
    by.must_be_operator(company_id, "keep secrets")
    if by.kind == "user" and not by.is_person:
        raise NotAllowed("A run cannot keep secrets, whosever key it has.")


class SecretQuerySet(ScopedQuerySet):
    @transaction.atomic
    def keep(
        self,
        company: Company,
        *,
        by: Actor,
        name: str,
        value: str,
        description: str = "",
    ) -> Secret:
        """A new secret. From here on nobody is shown its value.

        Conflict when the company has one of the name; Invalid for a value that is too
        short to be kept out of logs; NotAllowed for agents and viewers.
        """
        must_keep_secrets(by, company.pk)
        secret = Secret(company=company, created_by_user=by.user)
        secret._set(name=name, description=description, value=value)
        try:
            with transaction.atomic():
                secret.save(force_insert=True)
        except IntegrityError as error:
            raise Conflict(
                f"{company} has a secret called {secret.name}. Rotate that one, or"
                " choose another name.",
                code="duplicate_name",
            ) from error
        secret._enclose(value, by=by)
        audit.record(by, "secret.created", secret, name=secret.name, version=1)
        return secret


def as_seen(name: str) -> str:
    """The same for names that a reader takes for one another."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return BETWEEN.sub(" ", plain).translate(ALIKE)


class Secret(Scoped):
    """What a company keeps from everybody: shown is its name and how often it was
    changed, never its value or a part of it."""

    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("what it is for"), blank=True, default="")
    latest_version = models.PositiveIntegerField(default=0)
    last_rotated_at = models.DateTimeField(null=True)
    last_read_at = models.DateTimeField(null=True)
    created_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    objects = SecretQuerySet.as_manager()

    class Meta:
        verbose_name = _("secret")
        verbose_name_plural = _("secrets")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "name"], name="one_secret_per_name"
            )
        ]

    def __str__(self) -> str:
        return self.name

    # --- verbs -------------------------------------------------------------------

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        """Its name or description; what is bound to it stays so. Conflict for a name
        that is taken."""
        must_keep_secrets(by, self.company_id)
        self._set(**fields)
        try:
            with transaction.atomic():
                self.save(update_fields=[*fields, "updated_at"])
        except IntegrityError as error:
            raise Conflict(f"Another secret is called {self.name}.") from error
        audit.record(by, "secret.updated", self, name=self.name, changed=sorted(fields))

    @transaction.atomic
    def rotate(self, value: str, *, by: Actor, seen: int | None = None) -> None:
        """A new value, which the next run gets; the old one is revoked. What runs now
        goes on with the one it has. Conflict when it has another version than `seen`:
        somebody else was quicker."""
        must_keep_secrets(by, self.company_id)
        self._must_be_keepable(value)
        rows = Secret.objects.select_for_update(no_key=True)
        self.refresh_from_db(from_queryset=rows)
        if seen not in (None, self.latest_version):
            raise Conflict(
                f"{self.name} was given a new value meanwhile, version"
                f" {self.latest_version}. Nothing was changed.",
                code="changed",
            )
        self.versions.filter(revoked_at=None).update(revoked_at=now())
        self.last_rotated_at = now()
        self._enclose(value, by=by)
        audit.record(
            by, "secret.rotated", self, name=self.name, version=self.latest_version
        )

    @transaction.atomic
    def remove(self, *, by: Actor) -> None:
        """Destroy it with all its versions. Conflict while it is bound to anything, or
        a live run holds a value of it."""
        must_keep_secrets(by, self.company_id)
        rows = Secret.objects.select_for_update()
        self.refresh_from_db(from_queryset=rows)
        if places := [str(binding) for binding in self.bindings.all()]:
            raise Conflict(
                f"{self.name} is used by {', '.join(places)}. Take it away there"
                " first.",
                code="secret_in_use",
                bindings=places,
            )
        if holder := self.versions.filter(held_by__runs__status="running").first():
            agent = holder.held_by.filter(runs__status="running").first()
            raise Conflict(
                f"A run of {agent} holds {self.name}: wait for its end, or cancel it.",
                code="secret_in_use",
            )
        audit.record(by, "secret.deleted", self, name=self.name)
        self.delete()

    @transaction.atomic
    def bind(
        self, kind: str, target: object, path: str, *, by: Actor, label: str = ""
    ) -> SecretBinding:
        """Let this be read there, and nothing else: an operator's decision."""
        must_keep_secrets(by, self.company_id)
        place: dict[str, Any] = {"company_id": self.company_id, "target_type": kind}
        place |= {"target_id": str(target), "path": path}
        made = {"secret": self, "label": label, "created_by_user": by.user}
        binding, _new = SecretBinding.objects.update_or_create(**place, defaults=made)
        audit.record(by, "secret.bound", self, name=self.name, to=str(binding))
        return binding

    def read(self, *, by: Actor, use: str, number: int | None = None) -> SecretVersion:
        """The version to read now, the one that counts unless a number is told, its
        `value` filled in; who reads it is recorded, and that stands together with the
        read. Conflict for a version that was revoked."""
        with transaction.atomic():
            # Not the number in hand: a rotation may have passed since it was read.
            good = self.versions.filter(revoked_at=None)
            version = (good.filter(number=number) if number else good).first()
            if version is None:
                raise Conflict(
                    f"Version {number} of the secret {self.name} is revoked or never"
                    " was. Bind the latest.",
                    code="secret_revoked",
                )
            version.secret = self
            version.open()
            Secret.objects.filter(pk=self.pk).update(last_read_at=now())
            audit.record(
                by, "secret.read", self, name=self.name, version=version.number, use=use
            )
        return version

    # --- what may be said of one --------------------------------------------------

    def _set(self, *, value: str = "", **fields: str) -> None:
        for name, text in fields.items():
            setattr(self, name, text.strip())
        if not NAME.fullmatch(self.name):
            raise Invalid(
                "A name has 1 to 120 letters, numbers, spaces and .:/@_-",
                name="Letters, numbers, spaces and .:/@_- only, 120 at most.",
            )
        self._must_be_told_apart()
        if value:
            self._must_be_keepable(value)
            if Scrubber([value]).finds(f"{self.name}\n{self.description}"):
                raise Invalid("The name or the description holds the value itself.")

    def _must_be_told_apart(self) -> None:
        """By a reader: from the company's others, and from what it looks like."""
        if Secret.objects.filter(pk=self.pk, name=self.name).exists():
            return  # called so from before on
        scripts = {
            unicodedata.name(c, "?").split()[0] for c in self.name if c.isalpha()
        }
        if "LATIN" in scripts and len(scripts) > 1:
            raise Invalid(
                "A name mixes letters of two alphabets that look alike.",
                name="Write it in letters of one alphabet.",
            )
        others = Secret.objects.filter(company_id=self.company_id).exclude(pk=self.pk)
        names = others.exclude(name=self.name).values_list("name", flat=True)
        mine = as_seen(self.name)
        if taken := next((one for one in names if as_seen(one) == mine), ""):
            raise Conflict(
                f"Another secret is called {taken}, which looks the same: capitals, and"
                " what stands between words, make no difference.",
                code="duplicate_name",
            )

    def _must_be_keepable(self, value: str) -> None:
        problem = ""
        if not Scrubber([value]):
            problem = (
                f"A secret has at least {SHORTEST} characters, not counting spaces: a"
                " shorter one cannot be told from other text in a log."
            )
        elif len(value) > LONGEST:
            problem = f"A secret has at most {LONGEST} characters."
        elif "\0" in value:
            problem = "A secret holds no NUL."
        if problem:
            raise Invalid(problem, value=problem)

    def _enclose(self, value: str, *, by: Actor) -> None:
        sql.lock(LOCK)
        self.latest_version += 1
        self.save()
        version = SecretVersion(secret=self, number=self.latest_version)
        version.created_by_user = by.user
        version.enclose(value)
        version.save(force_insert=True)
