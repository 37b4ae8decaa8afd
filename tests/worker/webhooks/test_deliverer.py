"""Attempts over real servers: what arrives, what is recorded, and what follows."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

import pytest
import redis
import svix
from sqlalchemy import func, update
from standardwebhooks import Webhook
from uuid_utils.compat import uuid7

from db import batches, deliveries, jobs, signing
from db.batches import NewBatch
from db.deliveries import LOST
from db.lines import Limits
from db.models import Delivery
from db.session import session_factory
from db.states import DeliveryStatus
from mainmask.stack.services import Services
from tests import servers
from tests.mainmask.stack.programs import wait_for
from tests.new_jobs import new_job
from tests.worker.outgoing.server import Server, answer, holding, redirect
from tests.worker.webhooks.receiving import Received, ids, received, secrets_of, url
from worker import sweep
from worker.outgoing import names
from worker.outgoing.client import OutgoingClient
from worker.outgoing.rules import Rules
from worker.webhooks.deliverer import Deliverer

NOW = timedelta(0)
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def end_job(tenant: str, webhook_url: str, **values: Any) -> UUID:
    """Cancel a job; returns its delivery's id."""
    new = new_job(tenant=tenant, webhook_url=webhook_url, **values)
    with session_factory().begin() as session:
        jobs.create(session, new)
        jobs.cancel(session, new.id)
        return deliveries.of_job(session, new.id)[0].id


def stored(tenant: str, delivery_id: UUID) -> Delivery:
    """The delivery as it stands."""
    with session_factory()() as session:
        return deliveries.find(session, tenant, delivery_id)


def make_due(delivery_id: UUID, **values: Any) -> None:
    """As if its delay were over."""
    with session_factory().begin() as session:
        changed = {"due_at": func.clock_timestamp()} | values
        session.execute(update(Delivery).where(Delivery.id == delivery_id).values(**changed))


def delivered(deliverer: Deliverer, receiver: Server, tenant: str) -> Received:
    """A webhook that arrived."""
    deliverer.deliver(end_job(tenant, url(receiver), description="Ein Käfer auf 木", caller_metadata={"é": "\u2028"}))
    return received(receiver)[-1]


def test_a_webhook_tells_of_a_job(deliverer: Deliverer, receiver: Server, tenant: str) -> None:
    """The event, its time in UTC and the job's document; the attempt's row says how it went."""
    delivery_id = end_job(tenant, url(receiver), caller_metadata={"order": 7})
    deliverer.deliver(delivery_id)
    (one,) = received(receiver)
    payload = one.verified(secrets_of(tenant)[0])
    delivery = stored(tenant, delivery_id)
    assert set(payload) == {"type", "timestamp", "data"}
    assert (payload["type"], payload["data"]["status"]) == ("job.canceled", "canceled")
    assert (payload["data"]["id"], payload["data"]["metadata"]) == (str(delivery.job_id), {"order": 7})
    assert payload["timestamp"].endswith("Z")
    assert datetime.fromisoformat(payload["timestamp"]) == delivery.created_at
    assert one.headers["content-type"] == "application/json"
    assert one.headers["user-agent"].startswith("mainmask/")
    assert one.webhook_id == str(delivery_id)
    assert delivery.status is DeliveryStatus.SUCCEEDED
    (attempt,) = delivery.tries
    assert (attempt.number, attempt.status_code, attempt.answer, attempt.error) == (1, 200, "picture", None)
    assert attempt.duration_ms is not None
    assert attempt.duration_ms >= 0


def test_a_webhook_tells_of_a_batch(deliverer: Deliverer, receiver: Server, tenant: str) -> None:
    """With the batch's document."""
    batch = NewBatch(id=uuid7(), tenant=tenant, total=1, remaining=1, webhook_url=url(receiver))
    job = new_job(tenant=tenant, batch_id=batch.id)
    with session_factory().begin() as session:
        batches.create(session, batch)
        jobs.create(session, job)
        jobs.cancel(session, job.id)
        (delivery,) = deliveries.of_batch(session, batch.id)
    deliverer.deliver(delivery.id)
    payload = received(receiver)[0].verified(secrets_of(tenant)[0])
    assert payload["type"] == "batch.completed"
    assert (payload["data"]["id"], payload["data"]["counts"]["canceled"]) == (str(batch.id), 1)


def test_both_libraries_verify_it(deliverer: Deliverer, receiver: Server, tenant: str) -> None:
    """That of the specification, and svix's."""
    one = delivered(deliverer, receiver, tenant)
    (secret,) = secrets_of(tenant)
    assert one.verified(secret) == svix.Webhook(secret).verify(one.body, one.headers)


def test_one_tampered_in_any_byte_does_not_verify(deliverer: Deliverer, receiver: Server, tenant: str) -> None:
    """Not one byte of the body, the id, the timestamp or the signature may differ."""
    one = delivered(deliverer, receiver, tenant)
    (secret,) = secrets_of(tenant)
    verifiers: list[Callable[[bytes, dict[str, str]], Any]] = [
        Webhook(secret).verify,
        lambda body, headers: svix.Webhook(secret).verify(body, headers),
    ]
    assert all(verify(one.body, one.headers) for verify in verifiers)
    tampered = [(_with_another_byte(one.body, at), one.headers) for at in range(len(one.body))]
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        value = one.headers[name].encode()
        for at in range(len(value)):
            other = _with_another_byte(value, at).decode("latin-1")
            tampered.append((one.body, {**one.headers, name: other}))
    assert len(tampered) > 500
    for body, headers in tampered:
        for verify in verifiers:
            # Beside the library's own error, whatever Python says of base64 or UTF-8 that is none.
            with pytest.raises(Exception):  # noqa: B017, PT011
                verify(body, headers)


def _with_another_byte(value: bytes, at: int) -> bytes:
    # In base64 some bits of the last letter mean nothing; another letter from the far half of the alphabet differs in
    # one that does.
    place = ALPHABET.find(value[at : at + 1])
    other = ALPHABET[(place + 32) % 64] if place >= 0 else value[at] ^ 1
    return value[:at] + bytes([other]) + value[at + 1 :]


def test_while_a_secret_is_rotated_both_verify(deliverer: Deliverer, receiver: Server, tenant: str) -> None:
    """One signature each; after the overlap the new one alone."""
    (old,) = secrets_of(tenant)
    with session_factory().begin() as session:
        signing.rotate(session, tenant, timedelta(hours=24))
    new, still = secrets_of(tenant)
    one = delivered(deliverer, receiver, tenant)
    assert still == old
    assert len(one.headers["webhook-signature"].split(" ")) == 2
    assert one.verified(new) == one.verified(old) == svix.Webhook(old).verify(one.body, one.headers)
    with session_factory().begin() as session:
        signing.rotate(session, tenant, timedelta(hours=24))
    with pytest.raises(Exception, match="No matching signature"):
        delivered(deliverer, receiver, tenant).verified(old)


@pytest.mark.parametrize("status", [302, 400, 500])
def test_a_failure_is_repeated_later_under_the_same_id(
    deliverer: Deliverer, receiver: Server, tenant: str, status: int
) -> None:
    """A row an attempt; a redirect isn't followed; the URLs are presigned anew each time."""
    receiver.answers["/hook"] = redirect("/elsewhere", status)
    delivery_id = end_job(tenant, url(receiver))
    deliverer.deliver(delivery_id)
    deliverer.deliver(delivery_id)  # the message came twice
    assert stored(tenant, delivery_id).status is DeliveryStatus.PENDING
    assert stored(tenant, delivery_id).due_at > stored(tenant, delivery_id).tries[0].started_at
    del receiver.answers["/hook"]
    make_due(delivery_id)
    deliverer.deliver(delivery_id)
    found = received(receiver)
    assert [one.webhook_id for one in found] == [str(delivery_id)] * 2
    delivery = stored(tenant, delivery_id)
    assert delivery.status is DeliveryStatus.SUCCEEDED
    assert [attempt.status_code for attempt in delivery.tries] == [status, 200]
    assert len(receiver.requests) == 2


def test_retry_after_is_waited_for(deliverer: Deliverer, receiver: Server, tenant: str) -> None:
    """The row's due time is as the receiver asks."""
    receiver.answers["/hook"] = answer(b"busy", 503, headers=("Retry-After: 3600",))
    delivery_id = end_job(tenant, url(receiver))
    deliverer.deliver(delivery_id)
    delivery = stored(tenant, delivery_id)
    wait = delivery.due_at - delivery.tries[0].started_at
    assert timedelta(hours=1) <= wait < timedelta(hours=1.3)


def test_gone_disables_the_url(deliverer: Deliverer, receiver: Server, tenant: str) -> None:
    """410: this one and the next say so, and no request is made for the next; a redelivery's success ends it."""
    receiver.answers["/hook"] = answer(b"", 410)
    first = end_job(tenant, url(receiver))
    deliverer.deliver(first)
    second = end_job(tenant, url(receiver))
    deliverer.deliver(second)
    assert len(receiver.requests) == 1
    for delivery_id in (first, second):
        assert stored(tenant, delivery_id).status is DeliveryStatus.DISABLED
        assert "410 Gone" in str(stored(tenant, delivery_id).reason)
    del receiver.answers["/hook"]
    with session_factory().begin() as session:
        deliveries.redeliver(session, tenant, second)
    deliverer.deliver(second)
    third = end_job(tenant, url(receiver))
    deliverer.deliver(third)
    assert ids(received(receiver)[1:]) == {second, third}


def test_a_url_on_this_machine_is_refused(deliverer: Deliverer, receiver: Server, tenant: str) -> None:
    """Without the operator's leave nothing is sent; the attempt says why, and it is given up."""
    strict = replace(deliverer, client=OutgoingClient(Rules.of([], [receiver.port])))
    delivery_id = end_job(tenant, url(receiver))
    strict.deliver(delivery_id)
    delivery = stored(tenant, delivery_id)
    assert delivery.status is DeliveryStatus.FAILED
    assert [attempt.error for attempt in delivery.tries] == [delivery.reason]
    assert "not on the public internet" in str(delivery.reason)
    assert receiver.connections() == 0


def test_a_receiver_that_is_silent_is_left_at_the_deadline(deliverer: Deliverer, receiver: Server, tenant: str) -> None:
    """The attempt is over then, and is repeated later."""
    receiver.answers["/hook"] = holding()
    delivery_id = end_job(tenant, url(receiver))
    replace(deliverer, deadline_seconds=0.3).deliver(delivery_id)
    delivery = stored(tenant, delivery_id)
    assert delivery.status is DeliveryStatus.PENDING
    assert "0.3 s" in str(delivery.tries[0].error)
    assert delivery.tries[0].status_code is None


def test_what_was_not_tried_is_no_attempt(
    receiver: Server, deliverer: Deliverer, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A domain whose name servers are silent uses up its own lookups: the next delivery waits, others arrive."""
    monkeypatch.setattr(names, "PATIENCE_SECONDS", 0.05)
    answered = threading.Event()

    def lookup(host: str) -> list[str]:
        if host.endswith("silent.example"):
            answered.wait(30)
        return [receiver.host]

    rules = Rules.of([f"good.example:{receiver.port}", f"{receiver.host}:{receiver.port}"])
    crowded = replace(deliverer, client=OutgoingClient(rules, lookup=lookup), deadline_seconds=0.3)
    first, second, third = (end_job(tenant, f"http://hooks-{number}.silent.example/") for number in range(3))
    for delivery_id in (first, second, third):
        crowded.deliver(delivery_id)
    assert [stored(tenant, delivery_id).attempts for delivery_id in (first, second, third)] == [1, 1, 0]
    waiting = stored(tenant, third)
    assert (waiting.status, waiting.tries, waiting.lease_expires_at) == (DeliveryStatus.PENDING, [], None)
    crowded.deliver(third)  # it isn't due yet
    assert stored(tenant, third).attempts == 0
    good = end_job(tenant, f"http://good.example:{receiver.port}/hook")
    replace(crowded, deadline_seconds=15).deliver(good)
    assert stored(tenant, good).status is DeliveryStatus.SUCCEEDED
    answered.set()


def test_repeated_attempts_leave_threads_to_first_ones(deliverer: Deliverer, receiver: Server, tenant: str) -> None:
    """A repeat that finds as many of its kind running waits for a moment, uncounted; what is new goes out."""
    crowded = replace(deliverer, repeats=BoundedSemaphore(1))
    receiver.answers["/hook"] = answer(b"", 500)
    old, new = end_job(tenant, url(receiver)), end_job(tenant, url(receiver, "/new"))
    crowded.deliver(old)
    make_due(old)
    with crowded.repeats:
        crowded.deliver(old)
        crowded.deliver(new)
    assert (stored(tenant, old).attempts, len(stored(tenant, old).tries)) == (1, 1)
    assert stored(tenant, new).status is DeliveryStatus.SUCCEEDED
    for attempts in (2, 3):  # the room is there again, each time
        make_due(old)
        crowded.deliver(old)
        assert stored(tenant, old).attempts == attempts


def test_a_mistake_of_ours_is_recorded_too(
    deliverer: Deliverer, receiver: Server, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be tried every few seconds, for ever."""

    def broken(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr("worker.webhooks.message.payload", broken)
    delivery_id = end_job(tenant, url(receiver))
    deliverer.deliver(delivery_id)
    delivery = stored(tenant, delivery_id)
    assert delivery.status is DeliveryStatus.PENDING
    assert delivery.tries[0].error == "an unexpected ZeroDivisionError ended the attempt"


def test_what_an_answer_says_is_kept_as_text(deliverer: Deliverer, receiver: Server, tenant: str) -> None:
    """Its first 1024 bytes, whatever they are."""
    receiver.answers["/hook"] = answer(b"\x00\xff" + b"x" * 5000)
    delivery_id = end_job(tenant, url(receiver))
    deliverer.deliver(delivery_id)
    assert stored(tenant, delivery_id).tries[0].answer == "\ufffd\ufffd" + "x" * 1022


KILLED = """
import os, signal, sys
from uuid import UUID
from worker.outgoing.client import OutgoingClient
from worker.webhooks.app import deliver

post = OutgoingClient.post

def post_and_die(*arguments, **options):
    post(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

OutgoingClient.post = post_and_die
deliver(sys.argv[1])
"""


def test_killed_between_the_request_and_its_record(
    deliverer: Deliverer, receiver: Server, tenant: str, queue: "redis.Redis", environment: dict[str, str]
) -> None:
    """Nobody knows that it arrived, so it arrives again: under the same id, by which the receiver can tell."""
    delivery_id = end_job(tenant, url(receiver))
    variables = {**os.environ, **environment, "MAINMASK_OUTGOING_ALLOWED_HOSTS": f"{receiver.host}:{receiver.port}"}
    process = subprocess.run([sys.executable, "-c", KILLED, str(delivery_id)], env=variables, check=False)
    assert process.returncode == -signal.SIGKILL
    deliverer.deliver(delivery_id)  # its lease still runs
    assert len(received(receiver)) == 1
    make_due(delivery_id, lease_expires_at=func.clock_timestamp() - timedelta(seconds=1))
    queue.flushdb()
    assert sweep.send_deliveries(session_factory(), NOW, deliverer.limits) == 1
    deliverer.deliver(delivery_id)
    assert [one.webhook_id for one in received(receiver)] == [str(delivery_id)] * 2
    delivery = stored(tenant, delivery_id)
    assert delivery.status is DeliveryStatus.SUCCEEDED
    assert [(attempt.error, attempt.status_code) for attempt in delivery.tries] == [(LOST, None), (None, 200)]


def test_a_commit_wakes_the_process(receiver: Server, tenant: str, queue: "redis.Redis") -> None:
    """One message a delivery, with its id alone; none for what is rolled back."""
    new = new_job(tenant=tenant, webhook_url=url(receiver))
    with session_factory()() as session:
        jobs.create(session, new)
        jobs.cancel(session, new.id)
        session.rollback()
        session.commit()
    assert queue.llen("webhooks") == 0
    delivery_id = end_job(tenant, url(receiver))
    (message,) = queue.lrange("webhooks", 0, -1)
    assert f"deliver-{delivery_id}".encode() in message


def test_the_queue_is_not_filled_while_nobody_takes_from_it(receiver: Server, tenant: str, queue: Any) -> None:
    """The sweep sends what is due once, and again only what seems lost."""
    limits = Limits(per_receiver=2, per_tenant=100)
    for number in range(12):
        end_job(tenant, f"http://receiver-{number % 3}.example/")
    queue.flushdb()
    assert sweep.send_deliveries(session_factory(), timedelta(minutes=1), limits) == 0
    assert sweep.send_deliveries(session_factory(), NOW, limits) == 6
    assert sweep.send_deliveries(session_factory(), timedelta(minutes=1), limits) == 0
    queue.rpush("webhooks", *(b"{}" for _ in range(sweep.BATCH)))
    assert sweep.send_deliveries(session_factory(), NOW, limits) == 0
    queue.delete("webhooks")


def test_a_receiver_that_hangs_delays_no_other(
    receiver: Server, tenant: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """Two hundred wait for one that never answers; another's twenty arrive, long before the first one's deadline."""
    with Server() as hanging:
        hanging.answers["/hook"] = holding()
        stuck = {end_job(tenant, url(hanging)) for _ in range(200)}
        allowed = ",".join(f"{server.host}:{server.port}" for server in (hanging, receiver))
        variables = {**environment, "MAINMASK_OUTGOING_ALLOWED_HOSTS": allowed}
        with servers.running(Services(variables).webhooks(), tmp_path):
            wait_for(lambda: len(received(hanging)) == 4)
            quick = {end_job(tenant, url(receiver)) for _ in range(20)}
            wait_for(lambda: ids(received(receiver)) == quick)
            assert len(received(hanging)) == 4
            assert ids(received(hanging)) < stuck
        assert {stored(tenant, delivery_id).status for delivery_id in quick} <= {
            DeliveryStatus.SUCCEEDED,
            DeliveryStatus.PENDING,
        }
