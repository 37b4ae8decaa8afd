"""The description that the API gives of itself."""

import json
from typing import Any

from fastapi.testclient import TestClient


def test_the_openapi_document_is_whole(client: TestClient) -> None:
    """Both bodies of a submission are described, and no reference in the document leads nowhere."""
    document = client.get("/openapi.json").json()
    content = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "application/json"}
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
