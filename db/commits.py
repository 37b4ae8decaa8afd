"""What is to be done once a transaction has committed, and never if it hasn't."""

import logging
from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.orm import Session

logger = logging.getLogger(__name__)

_ACTIONS = "commits.actions"


def after_commit(session: Session, action: Callable[[], object]) -> None:
    """Have it done right after the session's commit, whoever commits; a rollback forgets it."""
    session.info.setdefault(_ACTIONS, []).append(action)


@event.listens_for(Session, "after_commit")
def _act(session: Session) -> None:
    for action in session.info.pop(_ACTIONS, []):
        try:
            action()
        except Exception:
            # The commit stands; an error here would look as if it had failed.
            logger.exception("what follows a commit failed")


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_ACTIONS, None)
