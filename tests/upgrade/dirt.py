"""What a used instance has in its tables: values of every kind that its columns take,
whatever version they are of, and work that was cut off in the middle."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.apps.registry import Apps
from django.db import IntegrityError, models, transaction
from django.utils.timezone import now

from tests.upgrade.states import OURS

# So often a row of each table is tried: the database refuses some of them.
TRIES = 16
# They follow from other rows.
DERIVED = ("paperclip.Chain", "paperclip.Seal", "paperclip.Unsealed")
# What others point at comes first, and what a row's `..._id` may name.
FIRST = ("company", "user", "agent", "project", "goal", "issue", "run")
TEXTS = (
    "",
    "x",
    "👩🏽‍🚀🎉" * 9,
    "مرحبا \u202eback\u202c",
    "'; DROP TABLE issues_issue; --",
    'line\r\nline\ttab\\ "quoted" {{ x }} <b>%s</b>',
    "é\u0301\ufeff\U0010ffff",
)
LONG = "A long report, with every detail 🧾.\n" * 3000
JSON = (
    {},
    [],
    {"ключ": ["🎉", None, 1.5, {"deep": [[[]]]}]},
    {"text": LONG[:5000]},
    "",
)
# Where a column takes more than any version wrote into it.
SET = {
    "agent.adapter_type": ("process",),
    "agent.adapter_config": ({"command": "/bin/true"},),
    "agent.max_concurrent_runs": (1, 2, 10),
    "agent.time_zone": ("", "Europe/Berlin", "Nowhere/Land"),
    "company.issue_counter": (1000,),
    "issue.number": range(1, 1000),
    "run.usage": (
        None,
        {"inputTokens": 9, "cachedInputTokens": 0, "outputTokens": 1, "costCents": 0},
    ),
    "run.wakes": ([],),
    "run.next_event_seq": (1000,),
    "runevent.seq": range(1, 1000),
    "budgetpolicy.warn_percent": (1, 80, 100),
    "approval.default": ("approved", "rejected"),
    "routinetrigger.cron_expression": (None, "0 9 * * 1"),
    "user.is_active": (True,),
    "user.is_superuser": (False,),
}


class Dirt:
    """Fills a database of the version that has these models."""

    def __init__(self, apps: Apps, alias: str, seed: int) -> None:
        self.apps, self.alias = apps, alias
        self.random = random.Random(seed)
        self.made: dict[str, list[Any]] = {}

    def spread(self) -> None:
        for model in self.in_order():
            rows = self.made.setdefault(model._meta.model_name or "", [])
            for _ in range(TRIES):
                try:
                    with transaction.atomic(self.alias):
                        one = model(**dict(self.values(model)))
                        one.save(using=self.alias, force_insert=True)
                    rows.append(one)
                except IntegrityError:
                    continue
            there = model._base_manager.using(self.alias).exists()
            assert there, f"{model._meta.label}: the database refuses every row"
        for one in (one for rows in self.made.values() for one in rows):
            self.link(one)
        self.cut_off()

    def in_order(self) -> list[type[models.Model]]:
        """So that each comes after those it cannot be without."""
        left = [
            model
            for model in self.apps.get_models()
            if model._meta.app_label in OURS and model._meta.label not in DERIVED
        ]
        left.sort(key=lambda model: rank(model._meta.model_name or ""))
        done: list[type[models.Model]] = []
        while left:
            ready = next(
                m for m in left if not needs(m) & {x._meta.label for x in left}
            )
            left.remove(ready)
            done.append(ready)
        return done

    def values(self, model: type[models.Model]) -> Iterator[tuple[str, Any]]:
        for field in model._meta.local_fields:
            if field.primary_key and field.has_default():
                continue
            if not isinstance(field, models.AutoField):
                yield field.name, self.value(field)

    def value(self, field: Any) -> Any:
        known = SET.get(f"{field.model._meta.model_name}.{field.name}")
        if known:
            return self.random.choice(known)
        if field.is_relation:
            return self.other(field)
        if field.null and self.random.random() < 0.3:
            return None
        if field.has_default() and self.random.random() < 0.3:
            return field.get_default()
        if field.choices:
            return self.random.choice([value for value, _ in field.flatchoices])
        return self.plain(field)

    def other(self, field: Any) -> Any:
        rows = self.made.get(field.related_model._meta.model_name, [])
        if field.related_model._meta.label == "django_celery_beat.PeriodicTask":
            return self.beat(field.related_model)
        if field.null and (not rows or self.random.random() < 0.4):
            return None
        if field.related_model._meta.model_name == "company":
            # Of one company, or its parts would be of different ones.
            return rows[0]
        return self.random.choice(rows)

    def beat(self, task: type[models.Model]) -> models.Model:
        """A line of the schedule that others' models keep."""
        interval = self.apps.get_model("django_celery_beat", "IntervalSchedule")
        hourly = interval._base_manager.using(self.alias).create(
            every=1, period="hours"
        )
        made: models.Model = task._base_manager.using(self.alias).create(
            name=f"job {self.bits(40)}", task="x", interval=hourly
        )
        return made

    def plain(self, field: Any) -> Any:
        """One of the values a column of this kind takes."""
        kind, pick = field.get_internal_type(), self.random.choice
        if kind == "ArrayField":
            return [
                self.plain(field.base_field) for _ in range(self.random.randrange(3))
            ]
        if kind == "UUIDField":
            rows = self.made.get(field.name.removesuffix("_id"), [])
            return pick(rows).pk if rows else uuid.UUID(int=self.bits(128))
        if kind in ("CharField", "EmailField"):
            return self.short(field)
        return {
            "TextField": lambda: pick((*TEXTS, LONG)),
            "SlugField": lambda: f"slug-{self.bits(32)}",
            "BooleanField": lambda: pick((True, False)),
            "DateTimeField": self.moment,
            "DateField": lambda: pick((date(1970, 1, 1), date(2099, 12, 31))),
            "TimeField": lambda: pick((time(0), time(23, 59, 59, 999999))),
            "JSONField": lambda: pick(JSON),
            "BinaryField": lambda: self.random.randbytes(32),
            "SmallIntegerField": lambda: pick((0, 1, 2)),
            "PositiveSmallIntegerField": lambda: pick((0, 1, 32767)),
            "IntegerField": lambda: pick((-1, 0, 2147483647)),
            "PositiveIntegerField": lambda: pick((0, 1, self.bits(31))),
            "FloatField": lambda: pick((0.0, 0.25, 1e9)),
            "BigIntegerField": lambda: pick((0, 1, self.bits(40))),
            "PositiveBigIntegerField": lambda: pick((0, 1, self.bits(40))),
        }[kind]()

    def short(self, field: Any) -> str:
        text = self.random.choice((*TEXTS, LONG))
        if field.unique:
            text = f"{self.bits(40)} {text}"
        return text[: field.max_length]

    def moment(self) -> datetime:
        ago = timedelta(seconds=self.random.randrange(10**7))
        return self.random.choice((now() - ago, datetime(1999, 12, 31, 23, tzinfo=UTC)))

    def bits(self, length: int) -> int:
        return self.random.getrandbits(length)

    def link(self, one: models.Model) -> None:
        for field in one._meta.local_many_to_many:
            there = self.made.get(field.related_model._meta.model_name or "", [])
            getattr(one, field.name).set(self.random.sample(there, min(2, len(there))))

    def found(self) -> None:
        """Make the company that has everything one that works, of the operator."""
        company, user = self.made["company"][0], self.made["user"][0]
        company.status, company.paused_at, company.pause_reason = "active", None, None
        company.max_concurrent_runs = None
        (instance,) = self.made["instance"]
        instance.stopped_at = None
        user.username, user.is_staff = "operator", True
        for one in (company, user, instance):
            one.save(using=self.alias)
        members = self.apps.get_model("paperclip.Membership").objects.using(self.alias)
        members.update_or_create(company=company, user=user, defaults={"role": "owner"})

    def cut_off(self) -> None:
        """A run that was alive when the old version was stopped holds its issue."""
        issue, run = self.made["issue"][0], self.made["run"][0]
        run.status, run.issue_id = "running", issue.pk
        run.lease_expires_at = now()
        run.save(using=self.alias)
        issue.status, issue.checkout_run = "in_progress", run
        issue.save(using=self.alias)


def rank(name: str) -> int:
    return FIRST.index(name) if name in FIRST else len(FIRST)


def needs(model: type[models.Model]) -> set[str]:
    """Those that a row of it always points at."""
    return {
        field.related_model._meta.label
        for field in model._meta.local_fields
        if field.is_relation and not field.null and field.related_model is not model
    }
