"""What exists after the first start: an operator, a company, the clock's rows."""

from django.db import transaction

from paperclip import schedule
from paperclip.actors import Actor
from paperclip.models import Company, User

OPERATOR = "operator"
COMPANY = "Digiton"


def operator() -> User:
    """The person who owns this machine's instance. Made on first use, no password."""
    user, created = User.objects.get_or_create(
        username=OPERATOR, defaults={"is_staff": True}
    )
    if created:
        user.set_unusable_password()
        user.save()
    return user


@transaction.atomic
def first_start() -> tuple[User, bool]:
    """The operator, and whether a company was made for it now. Safe to call again."""
    schedule.seed()
    user = operator()
    if Company.objects.exists():
        return user, False
    Company.objects.found(owner=user, by=Actor.of_user(user), name=COMPANY)
    return user, True
