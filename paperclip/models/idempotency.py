from django.db import models


class IdempotencyKey(models.Model):
    """The answer to one POST that carried a key, kept to be given again."""

    actor = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["actor", "key"], name="one_answer_per_key")
        ]

    def __str__(self) -> str:
        return f"{self.key} of {self.actor}"
