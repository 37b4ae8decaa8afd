"""The account of claims and completions, as pure arithmetic."""

from pathlib import Path
from uuid import uuid4

import pytest

from db.claims import Claim
from db.states import StageName
from tests.faults import audit
from tests.faults.audit import Record, Strike, completed_twice, recovery_seconds

STAGE, OTHER = ("job-1", "detect"), ("job-2", "detect")


def test_what_was_noted_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of several writers, in the order of time."""
    monkeypatch.setenv(audit.VARIABLE, str(tmp_path / "audit"))
    claim = Claim(uuid4(), StageName.DETECT, token=3, attempt=2)
    audit.note("taken", claim)
    audit.note("completed", claim)
    records = audit.read(tmp_path / "audit")
    assert [(record.event, record.stage, record.token) for record in records] == [
        (event, (str(claim.job_id), "detect"), 3) for event in ("taken", "completed")
    ]


def test_a_second_completion_is_seen() -> None:
    """Under another token, too: that is what the fence is there to prevent."""
    once = [Record(1, "completed", OTHER, 1), Record(2, "taken", OTHER, 2)]
    twice = [Record(1, "completed", STAGE, 1), Record(9, "completed", STAGE, 2)]
    assert completed_twice([*once, *twice]) == [STAGE]


def test_recovery_lasts_until_an_interrupted_stage_is_taken_again() -> None:
    """What was completed by its own claim was not interrupted; time counts from when the fault was over."""
    records = [
        Record(1, "taken", STAGE, 1),
        Record(2, "taken", OTHER, 1),
        Record(4, "completed", OTHER, 1),
        Record(9, "taken", STAGE, 2),
    ]
    assert recovery_seconds(records, Strike("worker killed", at=3, over_at=3)) == [6]
    assert recovery_seconds(records, Strike("S3 killed", at=3, over_at=8)) == [1]
    assert recovery_seconds(records, Strike("S3 killed", at=3, over_at=20)) == [0]


def test_a_fault_that_interrupted_nothing_counts_until_something_is_done() -> None:
    """Else an outage between two claims would not be counted at all."""
    records = [Record(1, "taken", STAGE, 1), Record(2, "completed", STAGE, 1), Record(7, "completed", OTHER, 1)]
    assert recovery_seconds(records, Strike("Redis killed", at=3, over_at=5)) == [2]
    assert recovery_seconds(records, Strike("Redis killed", at=8, over_at=9)) == []
