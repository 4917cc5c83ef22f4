from __future__ import annotations

from django.db import models

from agents.models.run import Run


class RunEvent(models.Model):
    """One step of a run's life. What the program printed is in the log, not here."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    event_type = models.CharField(max_length=32)
    stream = models.CharField(max_length=8, default="system")
    level = models.CharField(max_length=8, default="info")
    message = models.TextField()
    payload = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["seq"]
        constraints = [
            models.UniqueConstraint(fields=["run", "seq"], name="one_event_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.message}"
