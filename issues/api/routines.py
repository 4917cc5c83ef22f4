"""Routines over HTTP: recurring work, what fires it, and what came of each time."""

from __future__ import annotations

from typing import Any

from django.utils.timezone import now
from rest_framework.request import Request
from rest_framework.response import Response

from agents.outside import note_rows
from issues.api.routine_forms import (
    RoutineForm,
    RunForm,
    TriggerFields,
    TriggerForm,
    run_of,
)
from issues.api.routine_shapes import (
    ChangedTrigger,
    MadeTrigger,
    RestoredShape,
    RoutineDetail,
    RoutineRevisionShape,
    RoutineRow,
    RoutineRunRow,
    RoutineRunShape,
    RoutineShape,
    TriggerShape,
    secret_of,
)
from issues.models import Routine, RoutineRevision, RoutineTrigger
from issues.outside import note_firings, note_reading
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint
from paperclip.exceptions import NotAllowed
from paperclip.pages import Pages

ROUTINES = Pages(("created_at", "id"))
RUNS = Pages(("-triggered_at", "-created_at", "-id"), limit=50, maximum=500)
REVISIONS = Pages(("-number",), limit=50)


class Routines(Endpoint):
    @doc(
        "list_routines",
        "Recurring work and how it is doing",
        gives=RoutineRow,
        pages=ROUTINES,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = Routine.objects.filter(company=self.company())
        found, headers = ROUTINES.cut(rows, request)
        told = Routine.objects.tell(found)
        note_rows(self.actor, *found)
        note_firings(self.actor, [one.last_run for one in told])
        return Response(RoutineRow(told, many=True).data, headers=headers)

    @doc(
        "create_routine",
        "Define recurring work; triggers are added to it",
        takes=RoutineForm,
        gives=RoutineShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        company, fields = self.company(), self.read(RoutineForm)
        routine = Routine.objects.define(company, by=self.actor, **fields)
        return Response(RoutineShape(routine).data, status=201)


class RoutineEndpoint(Endpoint):
    def routine(self) -> Routine:
        rows = Routine.objects.select_related("company")
        routine: Routine = rows.get_for(self.actor, self.kwargs["routine_id"])
        note_rows(self.actor, routine)
        return routine

    def detail(self, routine: Routine) -> dict[str, Any]:
        rows = Routine.objects.filter(pk=routine.pk)
        told = Routine.objects.tell(rows)[0]
        note_firings(self.actor, [told.last_run])
        return RoutineDetail(told).data  # type: ignore[return-value]


class OneRoutine(RoutineEndpoint):
    @doc("get_routine", "A routine, its triggers and its last run", gives=RoutineDetail)
    def get(self, request: Request, **path: str) -> Response:
        return Response(self.detail(self.routine()))

    @doc(
        "change_routine",
        "Change, pause, resume or archive a routine",
        takes=RoutineForm,
        gives=RoutineDetail,
    )
    def patch(self, request: Request, **path: str) -> Response:
        routine, fields = self.routine(), self.read(RoutineForm, partial=True)
        if fields:
            routine.change(by=self.actor, **fields)
        return Response(self.detail(routine))


class RunRoutine(RoutineEndpoint):
    @doc(
        "run_routine",
        "Fire a routine now; the run says what came of it",
        takes=RunForm,
        gives=RoutineRunShape,
        status=202,
    )
    def post(self, request: Request, **path: str) -> Response:
        routine, form = self.routine(), self.read(RunForm)
        trigger = self.trigger(routine, form.get("triggerId"))
        run = routine.fire(by=self.actor, at=now(), trigger=trigger, **run_of(form))
        return Response(RoutineRunShape(run).data, status=202)

    def trigger(self, routine: Routine, pk: Any) -> RoutineTrigger | None:
        """The trigger that the run is put down to."""
        if pk is None:
            return None
        trigger: RoutineTrigger = RoutineTrigger.objects.get_for(self.actor, pk)
        if trigger.routine_id != routine.pk:
            raise NotAllowed("This trigger belongs to another routine.")
        return trigger


class RoutineRuns(RoutineEndpoint):
    @doc(
        "list_routine_runs",
        "What came of a routine, the newest first",
        gives=RoutineRunRow,
        pages=RUNS,
    )
    def get(self, request: Request, **path: str) -> Response:
        runs = self.routine().runs.select_related("linked_issue", "trigger")
        found, headers = RUNS.cut(runs, request)
        note_firings(self.actor, found)
        issues = [one.linked_issue for one in found if one.linked_issue]
        note_reading(self.actor, *issues)
        return Response(RoutineRunRow(found, many=True).data, headers=headers)


class RoutineRevisions(RoutineEndpoint):
    @doc(
        "list_routine_revisions",
        "What a routine was after each change",
        gives=RoutineRevisionShape,
        pages=REVISIONS,
    )
    def get(self, request: Request, **path: str) -> Response:
        return self.page(
            self.routine().revisions.all(), REVISIONS, RoutineRevisionShape
        )


class RestoreRevision(RoutineEndpoint):
    secrets = ("secretMaterials",)

    @doc(
        "restore_routine_revision",
        "Make a routine what it was; new secrets are shown once",
        gives=RestoredShape,
    )
    def post(self, request: Request, **path: str) -> Response:
        routine = self.routine()
        revision: RoutineRevision = RoutineRevision.objects.filter(
            routine=routine
        ).get_for(self.actor, self.kwargs["revision_id"])
        made = routine.restore(revision, by=self.actor)
        told = {
            "routine": self.detail(routine),
            "revision": RoutineRevisionShape(routine.revisions.first()).data,
            "secretMaterials": [
                {"triggerId": str(trigger.pk), **(secret_of(trigger, secret) or {})}
                for trigger, secret in made
            ],
        }
        return Response(told)


class Triggers(RoutineEndpoint):
    secrets = ("secretMaterial",)

    @doc(
        "create_routine_trigger",
        "Add a schedule, a webhook or a call; its secret is shown once",
        takes=TriggerForm,
        gives=MadeTrigger,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        routine, fields = self.routine(), self.read(TriggerForm)
        made = RoutineTrigger.objects.add(routine, by=self.actor, **fields)
        return Response(told_once(*made), status=201)


class TriggerEndpoint(Endpoint):
    def trigger(self) -> RoutineTrigger:
        rows = RoutineTrigger.objects.select_related("routine__company")
        trigger: RoutineTrigger = rows.get_for(self.actor, self.kwargs["trigger_id"])
        note_rows(self.actor, trigger.routine)
        return trigger


class OneTrigger(TriggerEndpoint):
    @doc(
        "change_routine_trigger",
        "Change a trigger; a secret it needs only now is shown once",
        takes=TriggerFields,
        gives=ChangedTrigger,
    )
    def patch(self, request: Request, **path: str) -> Response:
        trigger, fields = self.trigger(), self.read(TriggerFields, partial=True)
        secret, _revision = trigger.change(by=self.actor, **fields)
        trigger.secret_material = secret_of(trigger, secret) if secret else None  # type: ignore[attr-defined]
        return Response(ChangedTrigger(trigger).data)

    @doc("delete_routine_trigger", "Take a trigger off its routine", status=204)
    def delete(self, request: Request, **path: str) -> Response:
        self.trigger().remove(by=self.actor)
        return Response(status=204)


class RotateSecret(TriggerEndpoint):
    secrets = ("secretMaterial",)

    @doc(
        "rotate_routine_trigger_secret",
        "A new secret, shown once; the old one stops working",
        gives=MadeTrigger,
    )
    def post(self, request: Request, **path: str) -> Response:
        trigger = self.trigger()
        return Response(told_once(trigger, *trigger.rotate_secret(by=self.actor)))


def told_once(
    trigger: RoutineTrigger, secret: str, revision: RoutineRevision
) -> dict[str, Any]:
    return {
        "trigger": TriggerShape(trigger).data,
        "secretMaterial": secret_of(trigger, secret),
        "revision": RoutineRevisionShape(revision).data,
    }
