"""Which models answer: workers say what they have loaded."""

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import JSON, LoadedProfile


def announce(session: Session, name: str, models: Mapping[str, JSON]) -> None:
    """A worker has loaded these models, by stage, as the profile of this name."""
    values = {"models": dict(models), "seen_at": func.clock_timestamp()}
    session.execute(
        insert(LoadedProfile).values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values)
    )


def models_of(session: Session, name: str) -> JSON | None:
    """The models of the profile, by stage; None until a worker has loaded it."""
    return session.scalar(select(LoadedProfile.models).where(LoadedProfile.name == name))
