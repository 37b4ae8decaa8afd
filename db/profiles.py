"""Which models answer: workers say what they have loaded, and what they lend."""

from collections.abc import Mapping

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import JSON, LoadedProfile


def announce(session: Session, name: str, models: Mapping[str, JSON], lent: Mapping[str, JSON] | None = None) -> None:
    """A worker has loaded these models, by stage, as the profile of this name, and lends those, by name, to jobs."""
    values = {"models": dict(models), "lent": dict(lent or {}), "seen_at": func.clock_timestamp()}
    session.execute(
        insert(LoadedProfile).values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values)
    )


def find(session: Session, name: str) -> LoadedProfile | None:
    """What workers have said of the profile; None until one has loaded it."""
    return session.get(LoadedProfile, name)


def models_of(session: Session, name: str, instead: Mapping[str, str] | None = None) -> JSON | None:
    """The models of the profile, by stage, but for those that are named `instead`; None until a worker has them."""
    loaded = find(session, name)
    if loaded is None or not set((instead or {}).values()) <= loaded.lent.keys():
        return None
    return {**loaded.models, **{stage: loaded.lent[model] for stage, model in (instead or {}).items()}}
