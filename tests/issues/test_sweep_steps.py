"""One step that cannot be done does not stop the others, round after round."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from issues import sweep
from paperclip.models import Activity, Seal
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_step_that_stumbles_leaves_the_rest_to_be_done(monkeypatch) -> None:
    def stumbles() -> None:
        raise ValueError("an event number that is taken")

    monkeypatch.setitem(sweep.STEPS, "end what was stopped", stumbles)
    make.company()
    sweep.sweep()
    assert Seal.objects.count() == Activity.objects.count() > 0


def test_a_database_that_is_away_is_said(monkeypatch) -> None:
    def away() -> None:
        raise OperationalError("gone")

    monkeypatch.setitem(sweep.STEPS, "end what was stopped", away)
    with pytest.raises(OperationalError):
        sweep.sweep()
