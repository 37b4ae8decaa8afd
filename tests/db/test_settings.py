"""Settings that are more than one value, and those that are secret."""

import pytest
from pydantic import ValidationError

from db.settings import Settings, default_models_dir
from db.states import StageName


def test_nothing_inside_is_allowed_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who sets nothing is safe."""
    monkeypatch.delenv("MAINMASK_OUTGOING_ALLOWED_HOSTS", raising=False)
    monkeypatch.delenv("MAINMASK_OUTGOING_ALLOWED_PORTS", raising=False)
    assert Settings().outgoing_allowed_hosts == frozenset()
    assert Settings().outgoing_allowed_ports == {80, 443, 8080, 8443}


def test_lists_have_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces around them don't matter; nothing is an empty list."""
    monkeypatch.setenv("MAINMASK_OUTGOING_ALLOWED_HOSTS", "minio:9000, 10.1.0.0/16,[fd00::7]:9000,")
    monkeypatch.setenv("MAINMASK_OUTGOING_ALLOWED_PORTS", "443")
    assert Settings().outgoing_allowed_hosts == {"minio:9000", "10.1.0.0/16", "[fd00::7]:9000"}
    assert Settings().outgoing_allowed_ports == {443}
    monkeypatch.setenv("MAINMASK_OUTGOING_ALLOWED_HOSTS", "")
    assert Settings().outgoing_allowed_hosts == frozenset()


@pytest.mark.parametrize("ports", ["0", "65536", "https", "443;80"])
def test_wrong_ports_are_refused(monkeypatch: pytest.MonkeyPatch, ports: str) -> None:
    """By the variable's name."""
    monkeypatch.setenv("MAINMASK_OUTGOING_ALLOWED_PORTS", ports)
    with pytest.raises(ValidationError, match="outgoing_allowed_ports"):
        Settings()


def test_keys_are_asked_for_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Safe by default."""
    monkeypatch.delenv("MAINMASK_AUTH", raising=False)
    assert Settings().auth


def test_no_password_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings can be logged."""
    monkeypatch.setenv("MAINMASK_ADMIN_KEY", "admin-hunter2-hunter2-hunter2")
    monkeypatch.setenv("MAINMASK_DATABASE_URL", "postgresql+psycopg://mainmask:hunter2@host/mainmask")
    monkeypatch.setenv("MAINMASK_REDIS_URL", "redis://:hunter2@host:6379/0")
    monkeypatch.setenv("MAINMASK_S3_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("MAINMASK_CANDIDATES_URL", "http://me:hunter2@host/v1")
    monkeypatch.setenv("MAINMASK_CANDIDATES_MODEL", "small")
    monkeypatch.setenv("MAINMASK_CANDIDATES_KEY", "hunter2")
    assert "hunter2" not in repr(Settings()) + str(Settings())


@pytest.mark.parametrize("key", ["too-short-a-key", "a key with spaces in it, long enough", "ünïcödé-" * 4])
def test_a_weak_admin_key_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The message names the setting, so that it can be put right."""
    monkeypatch.setenv("MAINMASK_ADMIN_KEY", key)
    with pytest.raises(ValidationError, match="admin_key") as caught:
        Settings()
    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["ollama:11434", "ftp://ollama/v1", "/v1"])
def test_the_language_model_s_address_must_be_one(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """An operator hears of it when a worker starts, not when the first job comes."""
    monkeypatch.setenv("MAINMASK_CANDIDATES_MODEL", "small")
    monkeypatch.setenv("MAINMASK_CANDIDATES_URL", url)
    with pytest.raises(ValidationError, match="candidates_url"):
        Settings()


def test_the_language_model_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address alone says nothing; an empty one is none."""
    monkeypatch.setenv("MAINMASK_CANDIDATES_URL", "http://ollama:11434/v1")
    with pytest.raises(ValidationError, match="MAINMASK_CANDIDATES_MODEL"):
        Settings()
    monkeypatch.setenv("MAINMASK_CANDIDATES_URL", "")
    assert Settings().candidates_url is None


def test_an_empty_admin_key_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As deployment files write what isn't set."""
    monkeypatch.setenv("MAINMASK_ADMIN_KEY", "")
    assert Settings().admin_key is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PROFILE", "huge"),
        ("DETECT_MODEL", "mainmask/tiny-clip"),
        ("SEGMENT_MODEL", "sam"),
        ("ALLOWED_MODELS", "google/owlv2-base-patch16-ensemble,sam"),
    ],
)
def test_models_that_there_are_not_are_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """By the variable's name, with those there are."""
    monkeypatch.setenv(f"MAINMASK_{variable}", value)
    with pytest.raises(ValidationError, match=rf"{variable.lower()}[\s\S]*there are: "):
        Settings()


def test_a_stage_can_have_another_model_than_the_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other stages keep the profile's."""
    monkeypatch.setenv("MAINMASK_PROFILE", "base")
    monkeypatch.setenv("MAINMASK_SEGMENT_MODEL", "nielsr/slimsam-77-uniform")
    chosen = {stage: checkpoint.name for stage, checkpoint in Settings().checkpoints.items()}
    assert chosen[StageName.SEGMENT] == "nielsr/slimsam-77-uniform"
    assert chosen[StageName.DETECT] == "IDEA-Research/grounding-dino-tiny"


def test_an_empty_folder_of_models_is_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As container files write what isn't set: models don't end up wherever a command was started."""
    monkeypatch.setenv("MAINMASK_MODELS_DIR", "")
    assert Settings().models_dir == default_models_dir()
