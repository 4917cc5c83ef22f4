"""Whether a call to a webhook is from whom it should be: the ways of signing it, as a
table. A secret of its own is kept enclosed, under the key of this instance, because an
HMAC cannot be checked with its hash; or an operator binds one of the company's."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from redis import RedisError

from agents.models import SecretBinding
from agents.models.secret_binding import TRIGGER
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, NotSignedIn, TooMany
from paperclip.live import valkey

if TYPE_CHECKING:
    from django.http import HttpRequest

    from agents.models import Secret
    from issues.models import RoutineTrigger

SIGNATURE, TIMESTAMP = "X-Paperclip-Signature", "X-Paperclip-Timestamp"
GITHUB, DELIVERY = "X-Hub-Signature-256", "X-GitHub-Delivery"
SHORTEST_WINDOW, LONGEST_WINDOW, WINDOW = 30, 86_400, 300
REFUSED = "The webhook call did not verify."

Headers = Mapping[str, str]


def vault() -> Fernet:
    """What opens and closes secrets here. Another SECRET_KEY opens none of them."""
    digest = hashlib.sha256(b"webhook secrets:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def enclosed(secret: str, about: UUID) -> str:
    """To be kept with that trigger: it opens with no other."""
    return vault().encrypt(f"{about}\n{secret}".encode()).decode()


def bound_to(trigger: RoutineTrigger) -> SecretBinding | None:
    """The company's secret that its calls are verified with, if it has no own."""
    rows = SecretBinding.objects.filter(target_type=TRIGGER, target_id=str(trigger.pk))
    return rows.select_related("secret").first()


def secret_of(trigger: RoutineTrigger) -> str:
    """What its calls are verified with. Conflict when that cannot be read any more;
    NotSignedIn when it has none, as an archived one."""
    binding = bound_to(trigger)
    if binding is not None:
        return value_of(binding, binding.secret, binding.secret.latest_version)
    if not trigger.secret:
        raise NotSignedIn(REFUSED, code="bad_signature")
    return opened(trigger.secret, trigger.pk)


@lru_cache(maxsize=256)
def value_of(binding: SecretBinding, secret: Secret, _number: int) -> str:
    # Anybody may call a webhook, any number of times: that we look is recorded once.
    return secret.read(by=SYSTEM, use=f"calls of {binding}").value


def opened(kept: str, about: UUID) -> str:
    """The secret. Conflict when it was enclosed under another key of the instance, or
    for another trigger; those of earlier versions do not say for which."""
    try:
        told, _, secret = vault().decrypt(kept.encode()).decode().rpartition("\n")
    except InvalidToken:
        told, secret = "", ""
    if not secret or told not in ("", str(about)):
        raise Conflict(
            "The secret of this webhook cannot be read any more: the key of the"
            " instance was changed, or the database. Rotate the secret.",
            code="secret_lost",
        )
    return secret


def must_be_signed(
    trigger: RoutineTrigger, headers: Headers, body: bytes, at: datetime
) -> str:
    """NotSignedIn (401) unless the call verifies. What tells this call from the next
    one, for a call that is sent twice; empty when nothing does."""
    return SIGNING[trigger.signing_mode or ""](trigger, headers, body, at)


def bearer(trigger: RoutineTrigger, headers: Headers, body: bytes, at: datetime) -> str:
    scheme, _space, token = headers.get("Authorization", "").partition(" ")
    must_equal(secret_of(trigger), token.strip() if scheme == "Bearer" else "")
    return ""


def hmac_sha256(
    trigger: RoutineTrigger, headers: Headers, body: bytes, at: datetime
) -> str:
    """Over timestamp + "." + the body as sent; an old timestamp is refused, so that a
    call somebody has recorded cannot be sent again later."""
    stamp = headers.get(TIMESTAMP, "")
    window = trigger.replay_window_sec or WINDOW
    if not abs(seconds_of(stamp) - at.timestamp()) <= window:
        raise NotSignedIn(
            f"{TIMESTAMP} is a Unix time within {window} s of now.", code="too_old"
        )
    signature = headers.get(SIGNATURE, "").removeprefix("sha256=")
    must_equal(digest_of(trigger, stamp.encode() + b"." + body), signature)
    return f"signature:{signature}"


def github_hmac(
    trigger: RoutineTrigger, headers: Headers, body: bytes, at: datetime
) -> str:
    """As GitHub signs: over the body alone, without a time."""
    signature = headers.get(GITHUB, "")
    must_equal("sha256=" + digest_of(trigger, body), signature)
    delivery = headers.get(DELIVERY, "")[:200]
    return f"delivery:{delivery}" if delivery else ""


def unsigned(
    trigger: RoutineTrigger, headers: Headers, body: bytes, at: datetime
) -> str:
    """The operator chose that whoever knows the address may call."""
    return ""


SIGNING: dict[str, Callable[[RoutineTrigger, Headers, bytes, datetime], str]] = {
    "bearer": bearer,
    "hmac_sha256": hmac_sha256,
    "github_hmac": github_hmac,
    "none": unsigned,
}


# What is signed tells one call from another, whoever sends it, and again.
SIGNED_BY = {"hmac_sha256": SIGNATURE, "github_hmac": GITHUB}


def must_not_be_too_many(
    trigger: RoutineTrigger, headers: Headers, at: datetime
) -> None:
    """TooMany (429) for a call that verified, when this webhook had as many of them in
    this minute as it may. Others do not count, nor one that is sent again: who cannot
    sign keeps nobody out. While Valkey is away nothing is counted."""
    signature = headers.get(SIGNED_BY.get(trigger.signing_mode or "", ""))
    key = f"webhook:{trigger.pk}:{minute_of(at)}"
    calls = 0
    with suppress(RedisError), valkey().pipeline() as steps:
        steps.sadd(key, signature or uuid4().hex)
        steps.expire(key, 120)
        steps.scard(key)
        calls = int(steps.execute()[-1])
    must_be_few(calls, settings.WEBHOOK_CALLS, "This webhook was", at)


def must_not_come_too_often(request: HttpRequest, at: datetime) -> None:
    """TooMany (429) for an address that calls more often than it may, whatever it calls
    and whether or not that verifies: guessing counts as well."""
    key = f"webhooks-from:{source_of(request)}:{minute_of(at)}"
    calls = 0
    with suppress(RedisError), valkey().pipeline() as steps:
        steps.incr(key)
        steps.expire(key, 120)
        calls = int(steps.execute()[0])
    called = "From your address webhooks were"
    must_be_few(calls, settings.WEBHOOK_SOURCE_CALLS, called, at)


def minute_of(at: datetime) -> int:
    return int(at.timestamp()) // 60


def must_be_few(calls: int, most: int, called: str, at: datetime) -> None:
    if most and calls > most:
        raise TooMany(
            f"{called} called more than {most} times in a minute.",
            retry_after=60 - int(at.timestamp()) % 60,
        )


def source_of(request: HttpRequest) -> str:
    """Where a request comes from: with HTTPS what the proxy in front of us says last,
    since what stands before that anybody may have written. Of IPv6 the network: one
    caller has all the addresses in it."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    told = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.HTTPS else ""
    try:
        ip = ip_address(told.rpartition(",")[2].strip() or peer)
    except ValueError:
        return peer
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or ip_network((int(ip), 64), strict=False))
    return str(ip)


def seconds_of(stamp: str) -> float:
    """Seconds of the epoch, from a text in seconds or milliseconds."""
    if not (stamp.isascii() and stamp.isdecimal()) or len(stamp) > 15:
        return float("-inf")
    return int(stamp) / 1000 if len(stamp) >= 13 else float(int(stamp))


def digest_of(trigger: RoutineTrigger, signed: bytes) -> str:
    key = secret_of(trigger).encode()
    return hmac.new(key, signed, hashlib.sha256).hexdigest()


def must_equal(wanted: str, sent: str) -> None:
    if not hmac.compare_digest(wanted.encode(), sent.encode()):
        raise NotSignedIn(REFUSED, code="bad_signature")
