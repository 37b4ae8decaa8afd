"""From settings to how models run."""

from db.settings import Settings
from worker.pipeline.batching import BatchLimits
from worker.runtime import execution


def test_each_stage_has_its_own_batches() -> None:
    """As large as its settings say, after a wait as long as they say."""
    config = Settings(
        classify_batch_size=8,
        classify_batch_wait_seconds=0.01,
        segment_batch_size=2,
        detect_batch_wait_seconds=0.02,
        segment_batch_wait_seconds=0,
    )
    assert execution(config).limits == {
        "classify": BatchLimits(8, 0.01),
        "detect": BatchLimits(1, 0.02),
        "segment": BatchLimits(2, 0),
    }
