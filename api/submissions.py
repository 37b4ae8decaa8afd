"""A submission as it arrives, by multipart or JSON, checked and put into one form."""

import base64
import binascii
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, BinaryIO, Literal, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator
from starlette.datastructures import FormData, UploadFile

from api.errors import MalformedBody, UnsupportedMediaType
from db.settings import settings
from db.states import Instances

Fields = TypeVar("Fields", bound=BaseModel)
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class SubmissionFields(BaseModel):
    """What is said about the image."""

    model_config = ConfigDict(extra="forbid")

    description: str | None = Field(
        None,
        description="Some words about the picture; the candidates are the physical things that they name.",
        examples=["The man skiing on his new snowboard!"],
    )
    labels: list[Label] | None = Field(
        None, description="The candidates themselves, instead of a description.", examples=[["man", "snowboard"]]
    )
    # A literal, not the enum: its schema stands in the OpenAPI document without a definition of its own.
    instances: Literal[Instances.BEST, Instances.ALL] = Field(
        Instances.BEST, description="The best instance of the main object, or all of them."
    )
    metadata: dict[str, Any] = Field(default_factory=dict, description="Yours; given back with the job.")

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, labels: list[str] | None) -> list[str] | None:
        if labels is None:
            return None
        limits = settings()
        unique = list(dict.fromkeys(labels))
        if len(unique) > limits.maximum_labels:
            raise ValueError(f"at most {limits.maximum_labels} labels are taken")
        if any(len(label) > limits.maximum_label_characters for label in unique):
            raise ValueError(f"a label has at most {limits.maximum_label_characters} characters")
        return unique

    @field_validator("description")
    @classmethod
    def _check_description(cls, description: str | None) -> str | None:
        maximum = settings().maximum_description_characters
        if description and len(description) > maximum:
            raise ValueError(f"a description has at most {maximum} characters")
        return description

    @field_validator("metadata")
    @classmethod
    def _check_metadata(cls, metadata: dict[str, Any]) -> dict[str, Any]:
        maximum = settings().maximum_metadata_bytes
        if len(json.dumps(metadata).encode()) > maximum:
            raise ValueError(f"metadata has at most {maximum} bytes as JSON")
        return metadata

    @model_validator(mode="after")
    def _check_candidates_are_named(self) -> "SubmissionFields":
        if bool(self.labels) == bool(self.description and self.description.strip()):
            raise ValueError("send either `description`, some words about the picture, or `labels`, the candidates")
        return self


class JsonSubmission(SubmissionFields):
    """The JSON body of a submission."""

    image_base64: str = Field(description="The picture file in base64, standard alphabet.")


class MultipartSubmission(SubmissionFields):
    """The multipart body of a submission; `metadata` is a JSON text there."""

    image: bytes = Field(json_schema_extra={"format": "binary"}, description="The picture file.")


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[tuple[SubmissionFields, BinaryIO]]:
    """The checked fields and the image as a seekable file, which is closed after the block.

    Raises `UnsupportedMediaType`, `MalformedBody`, and `RequestValidationError`, which names the field.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        async with request.form(max_files=1) as form:
            yield _from_form(form)
    elif content_type == "application/json":
        yield _from_json(await request.body())
    else:
        raise UnsupportedMediaType(content_type)


def _from_form(form: FormData) -> tuple[SubmissionFields, BinaryIO]:
    image = form.get("image")
    if not isinstance(image, UploadFile):
        raise MalformedBody("there is no file part named `image`.")
    fields: dict[str, Any] = {name: form.get(name) for name in form if name not in {"image", "labels"}}
    if "labels" in form:
        fields["labels"] = form.getlist("labels")
    if "metadata" in fields:
        fields["metadata"] = _parse_json(str(fields["metadata"]), "metadata")
    return _validated(SubmissionFields, fields), image.file


def _from_json(body: bytes) -> tuple[SubmissionFields, BinaryIO]:
    submission = _validated(JsonSubmission, _parse_json(body, "the JSON body"))
    try:
        image = base64.b64decode(submission.image_base64, validate=True)
    except binascii.Error as error:
        raise MalformedBody(f"image_base64: {error}.") from error
    return submission, io.BytesIO(image)


def _validated(model: type[Fields], values: Any) -> Fields:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_context=False)) from error


def _parse_json(text: str | bytes, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise MalformedBody(f"{name} is not JSON: {error}.") from error
