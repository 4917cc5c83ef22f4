from paperclip.models.activity import Activity
from paperclip.models.company import Company
from paperclip.models.idempotency import IdempotencyKey
from paperclip.models.instance import Instance
from paperclip.models.invite import Invite
from paperclip.models.membership import Membership
from paperclip.models.scope import Scoped, ScopedQuerySet
from paperclip.models.seal import Chain, Seal, Unsealed
from paperclip.models.sign_in import SignInLink
from paperclip.models.spender import Spender
from paperclip.models.user import User

__all__ = [
    "Activity",
    "Chain",
    "Company",
    "IdempotencyKey",
    "Instance",
    "Invite",
    "Membership",
    "Scoped",
    "ScopedQuerySet",
    "Seal",
    "SignInLink",
    "Spender",
    "Unsealed",
    "User",
]
