"""Which models answer: workers say what they have loaded, and what they lend."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import JSON, LoadedProfile

CONFIRMED_EVERY_SECONDS = 15.0
GONE_AFTER_SECONDS = 60.0
"""Without a word from any worker."""


def announce(session: Session, name: str, models: Mapping[str, JSON], lent: Mapping[str, JSON] | None = None) -> None:
    """A worker has loaded these models, by stage, as the profile of this name, and lends those, by name, to jobs."""
    _say(session, name, models, lent or {})


def confirm(session: Session, name: str, models: Mapping[str, JSON], lent: Mapping[str, JSON]) -> None:
    """A worker still has what it announced. Where a newer one has announced other models, and is there, these stand."""
    is_same = (LoadedProfile.models == dict(models)) & (LoadedProfile.lent == dict(lent))
    _say(session, name, models, lent, where=or_(is_same, ~_is_present()))


def _say(
    session: Session,
    name: str,
    models: Mapping[str, JSON],
    lent: Mapping[str, JSON],
    where: ColumnElement[bool] | None = None,
) -> None:
    values = {"models": dict(models), "lent": dict(lent), "seen_at": func.clock_timestamp()}
    said = insert(LoadedProfile).values(name=name, **values)
    session.execute(said.on_conflict_do_update(index_elements=["name"], set_=values, where=where))


def present(session: Session, name: str) -> LoadedProfile | None:
    """What workers have said of the profile; None when none has been heard of for a minute."""
    return session.scalar(select(LoadedProfile).where(LoadedProfile.name == name, _is_present()))


def _is_present() -> ColumnElement[bool]:
    return LoadedProfile.seen_at > func.clock_timestamp() - timedelta(seconds=GONE_AFTER_SECONDS)


def find(session: Session, name: str) -> LoadedProfile | None:
    """What workers have said of the profile, if they are gone by now or not; None until one has loaded it."""
    return session.get(LoadedProfile, name)


def models_of(session: Session, name: str, instead: Mapping[str, str] | None = None) -> JSON | None:
    """The models of the profile, by stage, but for those that are named `instead`; None until a worker has them."""
    loaded = find(session, name)
    if loaded is None or not set((instead or {}).values()) <= loaded.lent.keys():
        return None
    return {**loaded.models, **{stage: loaded.lent[model] for stage, model in (instead or {}).items()}}
