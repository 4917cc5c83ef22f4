"""The command that stops every agent, whatever is wrong with the rest."""

from __future__ import annotations

import subprocess

import pytest
from django.core.management import call_command

from agents.models import Run
from issues import sweep
from paperclip import home, processes
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import NotAllowed
from paperclip.models import Company
from tests import make

pytestmark = pytest.mark.django_db


def test_it_stops_every_company_and_every_process() -> None:
    runs = [make.live_run(make.agent())[0] for _ in range(2)]
    marks = {
        "PAPERCLIP_RUN_ID": str(runs[0].pk),
        "PAPERCLIP_INSTANCE": home.instance_id(),
    }
    child = subprocess.Popen(["sleep", "60"], env=marks)
    call_command("stop_everything")
    assert child.wait(5) != 0
    assert set(Company.objects.values_list("status", flat=True)) == {"paused"}
    assert set(Run.objects.values_list("status", flat=True)) == {"cancelled"}


def test_resuming_leaves_alone_what_was_paused_for_another_reason() -> None:
    paused, stopped = make.company(), make.company()
    paused.pause(by=SYSTEM, reason="manual")
    call_command("stop_everything")
    call_command("stop_everything", "--resume")
    paused.refresh_from_db()
    stopped.refresh_from_db()
    assert (paused.status, stopped.status) == ("paused", "active")


def test_a_process_with_a_made_up_run_id_does_not_stop_the_reaper() -> None:
    run = make.queued_run(make.agent())
    mark = {"PAPERCLIP_INSTANCE": home.instance_id()}
    strange = subprocess.Popen(["sleep", "60"], env=mark | {"PAPERCLIP_RUN_ID": "zzz"})
    orphan = subprocess.Popen(
        ["sleep", "60"], env=mark | {"PAPERCLIP_RUN_ID": str(run.pk)}
    )
    try:
        sweep.reap()
        assert orphan.wait(5) != 0
    finally:
        strange.kill()
        strange.wait()
    assert processes.live_runs() == set()


def test_a_viewer_founds_no_company() -> None:
    viewer = make.operator(make.company(), role="viewer")
    with pytest.raises(NotAllowed):
        Company.objects.found(owner=viewer, by=Actor.of_user(viewer), name="Mine")
