"""The ledger's promises, held against the one in memory and the one in a real Redis alike."""

import threading
import time

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import StoreUnavailableError
from service.jobs.errors import ConflictError, ExpiredJobError, LedgerAwayError, UnknownJobError
from service.jobs.job import Chunk, Job, JobState, Lane, Segment, Task
from service.jobs.ledger import FAULT_LIMIT, LOSS_LIMIT, OFFER_S, Claim, Offer, Refused
from service.jobs.redis_ledger import RedisLedger
from tests.service.jobs.memory_ledger import MemoryLedger

NOW = 1_000.5
LEASE_S = 10.0
PATIENCE_S = 3.0  # of a busy machine, between two questions to Redis


def job(job_id="a", total=10, batch_size=4, lane=Lane.BULK):
    return Job(job_id, Task.PREDICT, total, batch_size, NOW, lane, {"gate": "on"})


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture(params=["memory", "redis"])
def ledger(request, watch):
    """Both kinds; it is NOW."""
    if request.param == "memory":
        return MemoryLedger(watch)
    request.getfixturevalue("redis_ledger")
    return RedisLedger(request.getfixturevalue("redis_address"), clock=watch)


@pytest.fixture
def at(ledger, watch):
    """The ledger, at this time and from then on."""

    def at(now):
        watch.now = now
        return ledger

    return at


def work(ledger, worker):
    """Do all that is on offer; the items that became final."""
    written: list[int] = []
    for offer in ledger.offer(Lane.BULK, 100):
        items = ledger.lease(offer.job_id, offer.chunk, worker, LEASE_S)
        done = ledger.finish(offer.job_id, offer.chunk, f"{worker}{offer.chunk}", dict.fromkeys(items, False))
        written += [] if done is None else done
    return written


class TestCreate:
    def test_a_job_is_read_back_as_it_was_written(self, ledger):
        """Options, numbers and times included."""
        assert "a" == ledger.create(job())

        assert job() == ledger.job("a")

    def test_a_new_job_is_queued_and_offered_in_chunks_of_its_batch_size(self, ledger):
        """Cut by submission index; the last is what is left."""
        ledger.create(job())

        assert JobState.QUEUED is ledger.status("a").state
        assert [Offer("a", Chunk(0, 4)), Offer("a", Chunk(4, 8)), Offer("a", Chunk(8, 10))] == sorted(
            ledger.offer(Lane.BULK, 9), key=lambda offer: offer.chunk
        )

    def test_refused_items_are_final_from_the_start(self, ledger):
        """They have rows, and are not offered."""
        ledger.create(job(), refused=Refused("refused", (0, 1, 2, 3, 9)))

        assert (5, 5) == (ledger.status("a").done, ledger.status("a").failed)
        assert [Segment("refused", (0, 1, 2, 3, 9))] == ledger.segments("a")
        assert {Chunk(4, 8), Chunk(8, 10)} == {offer.chunk for offer in ledger.offer(Lane.BULK, 9)}
        assert [8] == ledger.lease("a", Chunk(8, 10), "w", LEASE_S)

    def test_a_job_of_refused_items_is_done_at_once(self, ledger):
        """Nobody would ever finish it."""
        ledger.create(job(total=2), refused=Refused("refused", (0, 1)))

        assert JobState.DONE is ledger.status("a").state
        assert [] == ledger.offer(Lane.BULK, 9)

    def test_the_same_claim_leads_to_the_same_job(self, ledger):
        """Idempotency-Key: a repeated request makes no second job."""
        claim = Claim("key", "body")

        assert None is ledger.find_claim(claim)
        assert ["a", "a"] == [ledger.create(job("a"), claim=claim), ledger.create(job("b"), claim=claim)]
        assert "a" == ledger.find_claim(claim)
        with pytest.raises(UnknownJobError):
            ledger.status("b")

    def test_the_same_key_for_another_body_is_a_conflict(self, ledger):
        """Somebody's mistake, not a new job."""
        ledger.create(job("a"), claim=Claim("key", "body"))

        with pytest.raises(ConflictError):
            ledger.create(job("b"), claim=Claim("key", "other"))
        with pytest.raises(ConflictError):
            ledger.find_claim(Claim("key", "other"))

    def test_a_claim_ends_with_its_job(self, ledger):
        """After a purge the same request may be made again."""
        claim = Claim("key", "body")
        ledger.create(job("a"), claim=claim)
        ledger.delete("a")

        assert "b" == ledger.create(job("b"), claim=claim)


class TestOffer:
    def test_what_is_offered_is_not_offered_again_at_once(self, ledger, at):
        """A message is on its way."""
        ledger.create(job())
        ledger.offer(Lane.BULK, 9)

        assert [] == at(NOW + OFFER_S - 1).offer(Lane.BULK, 9)

    def test_an_offer_nobody_took_is_made_again_whole(self, ledger, at):
        """The message was lost; no worker is to blame."""
        ledger.create(job(total=4))
        ledger.offer(Lane.BULK, 9)

        assert [Offer("a", Chunk(0, 4))] == at(NOW + OFFER_S).offer(Lane.BULK, 9)

    def test_no_more_is_offered_than_asked_for(self, ledger):
        """The queue stays short, however long the job."""
        ledger.create(job())

        assert [Offer("a", Chunk(0, 4))] == ledger.offer(Lane.BULK, 1)

    def test_jobs_take_turns(self, ledger):
        """A small job does not wait for the end of a large one."""
        ledger.create(job("a", total=100))
        ledger.create(job("b", total=4))

        assert {"a", "b"} == {offer.job_id for offer in ledger.offer(Lane.BULK, 4)}

    def test_lanes_are_apart(self, ledger):
        """Whoever serves the one sees nothing of the other."""
        ledger.create(job("a", lane=Lane.INTERACTIVE))

        assert [] == ledger.offer(Lane.BULK, 9)
        assert 3 == len(ledger.offer(Lane.INTERACTIVE, 9))
        assert (1, 0) == (ledger.backlog(Lane.INTERACTIVE), ledger.backlog(Lane.BULK))


class TestLease:
    def test_one_worker_gets_a_chunk(self, ledger):
        """The other gets nothing, and does nothing."""
        ledger.create(job())

        assert [0, 1, 2, 3] == ledger.lease("a", Chunk(0, 4), "w1", LEASE_S)
        assert [] == ledger.lease("a", Chunk(0, 4), "w2", LEASE_S)
        assert JobState.RUNNING is ledger.status("a").state

    def test_a_renewed_lease_is_not_overdue(self, ledger, at):
        """Long chunks are not taken away from a worker that lives."""
        ledger.create(job(total=4))
        ledger.lease("a", Chunk(0, 4), "w1", LEASE_S)

        assert at(NOW + 9).renew("a", Chunk(0, 4), "w1", LEASE_S)
        assert not at(NOW + 9).renew("a", Chunk(0, 4), "w2", LEASE_S)
        assert [] == at(NOW + 18).offer(Lane.BULK, 9)

    def test_a_lost_worker_splits_its_chunk(self, ledger, at):
        """Whatever took it down is soon alone."""
        ledger.create(job(total=4))
        ledger.lease("a", Chunk(0, 4), "w1", LEASE_S)

        assert [Chunk(0, 2), Chunk(2, 4)] == [offer.chunk for offer in at(NOW + LEASE_S).offer(Lane.BULK, 9)]
        assert [] == at(NOW + LEASE_S).lease("a", Chunk(0, 4), "w2", LEASE_S)

    def test_a_chunk_given_back_is_offered_whole_when_it_is_due(self, ledger, at):
        """A full disk is nobody's fault."""
        ledger.create(job(total=4))
        ledger.lease("a", Chunk(0, 4), "w1", LEASE_S)
        ledger.release("a", Chunk(0, 4), "w1", 5)

        assert [] == at(NOW + 4).offer(Lane.BULK, 9)
        assert [Offer("a", Chunk(0, 4))] == at(NOW + 5).offer(Lane.BULK, 9)

    def test_an_item_that_takes_every_worker_down_is_hopeless(self, ledger, at):
        """It is offered no more, until it is written off."""
        ledger.create(job(total=1))
        now = NOW
        for _ in range(LOSS_LIMIT):
            assert 1 == len(at(now).offer(Lane.BULK, 9))
            at(now).lease("a", Chunk(0, 1), "w", LEASE_S)
            now += LEASE_S

        assert [] == at(now).offer(Lane.BULK, 9)
        assert [] == at(now + 1000).offer(Lane.BULK, 9)
        assert [("a", 0)] == ledger.hopeless(5)
        assert (0,) == at(now).finish("a", Chunk(0, 1), "s", {0: True})
        assert ([], JobState.DONE) == (ledger.hopeless(5), ledger.status("a").state)

    def test_faults_are_counted_by_item(self, ledger):
        """Whichever worker meets them."""
        ledger.create(job())

        assert [1, 2, 1] == [ledger.note_fault("a", index) for index in (3, 3, 4)]
        assert FAULT_LIMIT == 2

    def test_an_item_of_a_job_that_is_gone_is_not_worth_another_try(self, ledger):
        """A worker in the middle of it gives up at once."""
        ledger.create(job())
        ledger.delete("a")

        assert FAULT_LIMIT == ledger.note_fault("a", 0)


class TestFinish:
    def test_an_item_becomes_final_once(self, ledger, at):
        """Two workers with the same chunk: one row an item counts."""
        ledger.create(job(total=4))

        assert (0, 1) == ledger.finish("a", Chunk(0, 4), "w1", {0: False, 1: True})
        assert (2, 3) == at(NOW + 1).finish("a", Chunk(0, 4), "w2", {0: True, 1: False, 2: False, 3: False})
        assert [Segment("w1", (0, 1)), Segment("w2", (2, 3))] == ledger.segments("a")
        assert (4, 1, JobState.DONE) == (ledger.status("a").done, ledger.status("a").failed, ledger.status("a").state)
        assert NOW + 1 == ledger.status("a").finished_at

    def test_a_worker_thought_lost_may_still_finish(self, ledger, at):
        """Its work is as good as another's; the halves find nothing left to do."""
        ledger.create(job(total=4))
        ledger.lease("a", Chunk(0, 4), "w1", LEASE_S)
        at(NOW + LEASE_S).offer(Lane.BULK, 9)

        assert (0, 1, 2, 3) == at(NOW + 11).finish("a", Chunk(0, 4), "w1", dict.fromkeys(range(4), False))
        assert [] == at(NOW + 12).lease("a", Chunk(0, 2), "w2", LEASE_S)

    def test_nothing_is_added_to_a_cancelled_job(self, ledger, at):
        """What was final stays."""
        ledger.create(job(total=4))
        ledger.finish("a", Chunk(0, 4), "w1", {0: False})
        ledger.cancel("a", NOW)

        assert () == ledger.finish("a", Chunk(0, 4), "w2", {1: False})
        assert (1, JobState.CANCELLED) == (ledger.status("a").done, ledger.status("a").state)
        assert [] == at(NOW + 99).offer(Lane.BULK, 9)
        assert [] == ledger.lease("a", Chunk(0, 4), "w2", LEASE_S)

    def test_cancelling_what_is_done_changes_nothing(self, ledger):
        """It came too late."""
        ledger.create(job(total=1))
        ledger.finish("a", Chunk(0, 1), "w1", {0: False})
        ledger.cancel("a", NOW)

        assert JobState.DONE is ledger.status("a").state

    def test_a_deleted_job_is_gone_and_remembered(self, ledger):
        """410 and not 404; a worker in the middle of it learns that its files are to go too."""
        ledger.create(job())
        ledger.delete("a")

        for question in (ledger.status, ledger.segments, ledger.delete, lambda name: ledger.cancel(name, NOW)):
            with pytest.raises(ExpiredJobError):
                question("a")
        with pytest.raises(UnknownJobError):
            ledger.status("b")
        assert None is ledger.finish("a", Chunk(0, 4), "w1", {0: False})
        assert [False] == ledger.exists(["a"])

    def test_jobs_that_ended_long_ago_are_found(self, ledger):
        """For retention."""
        ledger.create(job("a", total=1))
        ledger.create(job("b"))
        ledger.finish("a", Chunk(0, 1), "w1", {0: False})

        assert ([], ["a"]) == (ledger.finished_before(NOW, 9), ledger.finished_before(NOW + 1, 9))

    def test_jobs_whose_uploads_are_deleted_are_in_nobodys_way(self, ledger):
        """They stay in the ledger until their results go; the longest ended come first."""
        for number, job_id in enumerate("abcd"):
            ledger.create(job(job_id))
            ledger.cancel(job_id, NOW + number)
        ledger.delete("b")

        assert ["a", "c"] == ledger.uploads_before(NOW + 3, 9)
        assert ["a"] == ledger.uploads_before(NOW + 3, 1)
        ledger.forget_uploads(["a", "b"])
        assert ["c", "d"] == ledger.uploads_before(NOW + 9, 9)
        assert ["a", "c", "d"] == ledger.finished_before(NOW + 9, 9)

    def test_interactive_jobs_are_found_by_their_age_over_or_not(self, ledger):
        """Nobody waits long for an answer."""
        for job_id in "ab":
            ledger.create(job(job_id, lane=Lane.INTERACTIVE))
        ledger.create(job("c"))
        ledger.cancel("a", NOW)

        assert ([], ["a", "b"]) == (ledger.interactive_before(NOW, 9), ledger.interactive_before(NOW + 1, 9))
        ledger.delete("a")
        assert ["b"] == ledger.interactive_before(NOW + 1, 9)


class TestPresence:
    def test_a_lane_is_served_as_long_as_a_worker_says_so(self, ledger):
        """Each lane by itself."""
        ledger.announce(Lane.BULK, 60)

        assert ledger.is_served(Lane.BULK)
        assert not ledger.is_served(Lane.INTERACTIVE)

    def test_a_silent_worker_is_forgotten(self):
        """Redis lets go of the key by itself."""
        watch = Watch()
        ledger = MemoryLedger(watch)
        ledger.announce(Lane.BULK, 10)
        watch.now += 10

        assert not ledger.is_served(Lane.BULK)


class TestSignal:
    def test_a_signal_wakes_who_waits(self, ledger):
        """From another thread, as from another process."""
        threading.Timer(0.1, ledger.signal, ["a"]).start()

        assert ledger.wait("a", 5)
        assert not ledger.wait("a", 0.05)


class TestLaw:
    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(deaths=st.lists(st.booleans(), max_size=25), total=st.integers(1, 20))
    def test_every_item_becomes_final_exactly_once_whatever_dies(self, ledger, at, deaths, total):
        """Workers die with chunks in their hands; offers are lost; in the end each item is in one segment, once."""
        job_id = f"law{time.monotonic_ns()}"
        ledger.create(job(job_id, total=total))
        now = NOW
        for number, dies in enumerate(deaths):
            for offer in at(now).offer(Lane.BULK, 1):
                if items := at(now).lease(offer.job_id, offer.chunk, f"w{number}", LEASE_S):
                    done = {} if dies else dict.fromkeys(items, False)
                    _ = done and at(now).finish(offer.job_id, offer.chunk, f"s{number}", done)
            now += LEASE_S
        while not ledger.status(job_id).is_over:
            work(at(now), "last")
            for hopeless, index in ledger.hopeless(99):
                at(now).finish(hopeless, Chunk(index, index + 1), "hopeless", {index: True})
            now += OFFER_S

        final = [index for segment in ledger.segments(job_id) for index in segment.indices]
        assert list(range(total)) == sorted(final)


class TestRedis:
    def test_two_cannot_hold_one_lock(self, redis_ledger):
        """One reconciler at a time; the lock falls open when its holder is gone."""
        assert redis_ledger.acquire("sweep", "a", 0.2)
        assert redis_ledger.acquire("sweep", "a", 0.2)
        assert not redis_ledger.acquire("sweep", "b", 0.2)
        time.sleep(0.3)
        assert redis_ledger.acquire("sweep", "b", 0.2)

    def test_leases_run_by_the_clock_of_redis(self, redis_ledger, redis_address):
        """Not by those of a worker and of who looks after it, which differ on two machines."""
        redis_ledger.create(job(total=4))
        with redis.Redis.from_url(redis_address) as client:

            def due_in() -> float:
                """Seconds until the chunk is overdue, as Redis counts."""
                seconds, millionths = client.time()
                return float(client.zscore("thorascope:chunks:a", "0-4") - seconds - millionths / 1e6)

            redis_ledger.offer(Lane.BULK, 9)
            assert OFFER_S == pytest.approx(due_in(), abs=PATIENCE_S)
            redis_ledger.lease("a", Chunk(0, 4), "w", LEASE_S)
            assert LEASE_S == pytest.approx(due_in(), abs=PATIENCE_S)
            redis_ledger.renew("a", Chunk(0, 4), "w", 2 * LEASE_S)
            assert 2 * LEASE_S == pytest.approx(due_in(), abs=PATIENCE_S)
            assert redis_ledger.status("a").started_at == pytest.approx(client.time()[0], abs=PATIENCE_S)
            redis_ledger.release("a", Chunk(0, 4), "w", 1)
            assert 1 == pytest.approx(due_in(), abs=PATIENCE_S)

    def test_a_silent_worker_is_forgotten(self, redis_ledger):
        """The key has an end."""
        redis_ledger.announce(Lane.BULK, 0.05)
        time.sleep(0.1)

        assert not redis_ledger.is_served(Lane.BULK)

    def test_a_fault_leaves_nothing_of_a_deleted_job(self, redis_ledger, redis_address):
        """All that is remembered is that there was one, and that for a time."""
        redis_ledger.create(job())
        redis_ledger.note_fault("a", 0)
        redis_ledger.delete("a")
        redis_ledger.note_fault("a", 0)
        with redis.Redis.from_url(redis_address) as client:
            assert [b"thorascope:gone:a"] == client.keys("thorascope:*:a")
            assert client.ttl("thorascope:gone:a") > 0

    def test_it_has_one_name_until_it_is_emptied(self, redis_ledger, redis_address):
        """By which a store knows it; every process is told the same."""
        name = redis_ledger.identity()
        assert name == redis_ledger.identity() == RedisLedger(redis_address).identity()
        with redis.Redis.from_url(redis_address) as client:
            client.flushall()

        assert name != redis_ledger.identity()

    def test_a_redis_that_is_away_is_said_to_be_at_once(self, tmp_path):
        """No waiting, no foreign exception."""
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            RedisLedger(f"unix://{tmp_path}/none.sock").ping()

        assert time.monotonic() - began < 1

    def test_a_redis_without_room_takes_no_part_of_a_job(self, redis_ledger, redis_address):
        """At its `maxmemory` it refuses what writes; how far other jobs are, is still told."""
        redis_ledger.create(job())
        with redis.Redis.from_url(redis_address) as client:
            client.config_set("maxmemory", 1)
            try:
                with pytest.raises(LedgerAwayError):
                    redis_ledger.create(job("b"))
                assert 0 == redis_ledger.status("a").done
            finally:
                client.config_set("maxmemory", 0)

            assert [] == client.keys("thorascope:*:b")

    def test_the_private_redis_loses_nothing_it_has_acknowledged(self, redis_ledger):
        """appendonly, noeviction."""
        assert [] == redis_ledger.unsafe_settings()
