"""News of jobs, and who is still there to hear it."""

import asyncio
import threading
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from api import changes
from api.changes import Changes


def test_nothing_is_kept_of_a_job_whose_last_waiter_left_during_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer comes too late for anybody; it would stay for as long as the process."""
    asked, answered = threading.Event(), threading.Event()

    def versions(job_ids: list[UUID]) -> dict[UUID, str]:
        asked.set()
        assert answered.wait(10)
        return dict.fromkeys(job_ids, "1")

    monkeypatch.setattr(changes, "_versions", versions)
    monkeypatch.setattr(changes, "INTERVAL_SECONDS", 0.001)
    news = Changes()

    async def leave_early() -> None:
        watch = asyncio.create_task(news.watch())
        async with news.of(uuid7()):
            assert await asyncio.to_thread(asked.wait, 10)
        answered.set()
        await asyncio.sleep(0.1)
        watch.cancel()

    asyncio.run(leave_early())
    assert news._seen == {}
