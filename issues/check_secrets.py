"""The secrets of a check, such as the password of its mailbox: an operator binds them,
and the check alone reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents import bindings
from agents.models import Secret, SecretBinding
from agents.models.secret import must_keep_secrets
from agents.models.secret_binding import CHECK
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from issues.models import Check, Criterion
    from paperclip.actors import Actor


def bound_to(check: Check) -> dict[str, SecretBinding]:
    """Its secrets, by the setting that refers to them."""
    rows = SecretBinding.objects.filter(target_type=CHECK, target_id=str(check.pk))
    return {one.path: one for one in rows.select_related("secret")}


def bind(check: Check, *, by: Actor) -> None:
    """Make its bindings what its settings say, in the caller's transaction. Invalid for
    a secret of nobody or of another company; NotAllowed for who may keep no secrets:
    who says where a password is sent could read it."""
    told = {name: bindings.reference_in(one) for name, one in check.settings.items()}
    wanted = {name: reference for name, reference in told.items() if reference}
    there = bound_to(check)
    if wanted or there:
        must_keep_secrets(by, check.company_id)
    for name, binding in there.items():
        if name not in wanted:
            bindings.release(binding, by=by)
    for name, reference in wanted.items():
        known = there.get(name)
        if known is None or str(known.secret_id) != reference.secret_id:
            secret = one_of(check, name, reference.secret_id)
            secret.bind(CHECK, check.pk, name, label=f"Check {check.title}", by=by)


def one_of(check: Check, name: str, secret_id: str) -> Secret:
    ours = Secret.objects.filter(company_id=check.company_id, pk=secret_id)
    found: Secret | None = ours.first()
    if found is None:
        said = f"There is no secret {secret_id} in {check.company}."
        raise Invalid(said, **{name: said})
    return found


class Keys:
    """What a look at a criterion may read."""

    def __init__(self, criterion: Criterion, *, by: Actor) -> None:
        self._criterion, self._by = criterion, by
        # What was read: to be kept out of the receipt.
        self.read: list[str] = []

    def of(self, name: str) -> str:
        """The value that this setting refers to; empty when it refers to none. That it
        is read is recorded. Conflict for a version that was revoked or cannot be
        read."""
        check = self._criterion.check_of
        reference = bindings.reference_in(self._criterion.told.get(name))
        binding = bound_to(check).get(name) if check and reference else None
        if check is None or reference is None or binding is None:
            return ""
        use = f"the check {check.key}"
        secret, number = binding.secret, reference.version
        value = secret.read(by=self._by, use=use, number=number).value
        self.read.append(value)
        return value
