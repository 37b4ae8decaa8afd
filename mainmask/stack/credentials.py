"""The local stack's passwords and keys: made up once, and readable by their owner alone."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self


def _secret() -> str:
    return secrets.token_hex(20)


@dataclass(frozen=True)
class Credentials:
    """Random ones, unless given."""

    postgres_password: str = field(default_factory=_secret)
    redis_password: str = field(default_factory=_secret)
    s3_access_key_id: str = field(default_factory=_secret)
    s3_secret_access_key: str = field(default_factory=_secret)

    @classmethod
    def kept_in(cls, path: Path) -> Self:
        """Those of the file; made and stored there the first time."""
        if path.exists():
            return cls(**json.loads(path.read_text()))
        credentials = cls()
        unfinished = path.with_name(f"{path.name}.new")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            json.dump(asdict(credentials), file)
        unfinished.rename(path)
        return credentials
