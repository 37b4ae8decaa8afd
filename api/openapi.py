"""The API's description of itself, as a file: `python -m api.openapi`."""

import json
import sys

from api.app import create_app


def document() -> str:
    """The OpenAPI document of this version, as JSON for people to compare."""
    return json.dumps(create_app().openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
