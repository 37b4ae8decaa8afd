"""A submission as it arrives, by multipart or JSON, checked and put into one form."""

import base64
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO, Literal, TypeVar
from uuid import UUID

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from api.errors import MalformedBody, UnsupportedMediaType
from api.texts import Metadata, Text, check_text
from api.urls import check_url
from db.settings import settings
from db.states import Artifact, Event, Instances, OnMissing, Priority, StageName

Stage = Literal[StageName.CLASSIFY, StageName.DETECT, StageName.SEGMENT]
Fields = TypeVar("Fields", bound=BaseModel)
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(check_text)]
Url = Annotated[str, AfterValidator(check_url)]


def _one_of(*schemas: dict[str, Any]) -> dict[str, Any]:
    """Exactly one of several properties is there, and not null."""
    return {"oneOf": [{"required": list(schema), "properties": schema} for schema in schemas]}


WORDS = _one_of({"description": {"type": "string", "pattern": "\\S"}}, {"labels": {"type": "array", "minItems": 1}})
JSON_IMAGE = _one_of(*({name: {"type": "string"}} for name in ("image_base64", "image_url", "upload_id")))
FORM_IMAGE = _one_of(*({name: {"type": "string"}} for name in ("image", "image_url", "upload_id")))

MOST_FIELDS = 100
"""All that there are, and some that there are not, which are then named."""
MOST_EVENTS = 16

OBJECTS = ("metadata", "models")
"""Fields that are JSON texts in a form."""
LISTS = ("labels", "outputs", "webhook_events")
"""Fields that a form repeats for each of their values."""


def _check_length(description: object) -> object:
    maximum = settings().maximum_description_characters
    if isinstance(description, str) and len(description) > maximum:
        raise ValueError(f"a description has at most {maximum} characters")
    return description


def _check_count(labels: object) -> object:
    maximum = settings().maximum_labels
    if isinstance(labels, list) and len(labels) > maximum:
        raise ValueError(f"at most {maximum} labels are taken")
    return labels


class SubmissionFields(BaseModel):
    """What is said about the image, and what is to be done."""

    model_config = ConfigDict(extra="forbid")

    description: Annotated[Text | None, BeforeValidator(_check_length)] = Field(
        None,
        description="Some words about the picture; the candidates are the physical things that they name.",
        examples=["The man skiing on his new snowboard!"],
    )
    labels: Annotated[list[Label] | None, FailFast(), BeforeValidator(_check_count)] = Field(
        None, description="The candidates themselves, instead of a description.", examples=[["man", "snowboard"]]
    )
    # Literals, not the enums: their schemas stand in the OpenAPI document without definitions of their own.
    instances: Literal[Instances.BEST, Instances.ALL] = Field(
        Instances.BEST, description="The best instance of the main object, or all of them."
    )
    outputs: list[Literal[Artifact.MASK, Artifact.CUTOUT, Artifact.OVERLAY]] = Field(
        default_factory=lambda: list(Artifact),
        max_length=MOST_EVENTS,
        description="The pictures to make; the document has the masks anyhow.",
    )
    profile: str | None = Field(None, description="Which models; the service's own choice without it.")
    models: dict[Stage, str] | None = Field(
        None,
        description="By stage, the names of models to use instead of the profile's; `GET /v1/models` says which.",
        examples=[{"detect": "google/owlv2-base-patch16-ensemble"}],
    )
    box_threshold: float | None = Field(
        None, gt=0, lt=1, description="The least box score to take, instead of the profile's own ladder."
    )
    on_missing: Literal[OnMissing.NOT_FOUND, OnMissing.NEXT] = Field(
        OnMissing.NOT_FOUND,
        description="When the chosen candidate isn't found in the picture: to say so, or to take the next one that is.",
    )
    priority: Literal[Priority.HIGH, Priority.NORMAL, Priority.LOW] = Field(
        Priority.NORMAL, description="Against your other jobs; other callers' come in turn with yours."
    )
    reuse: bool = Field(
        True,
        description="Answer at once with an earlier job's result, where the same image, words, parameters and models "
        "gave one; the job then says `reused_from`.",
    )
    webhook_url: Url | None = Field(
        None, description="Where to POST the job's end to.", examples=["https://example.com/hooks/mainmask"]
    )
    webhook_events: list[Literal[Event.JOB_SUCCEEDED, Event.JOB_FAILED, Event.JOB_CANCELED]] | None = Field(
        None, max_length=MOST_EVENTS, description="Which events to send; all without it."
    )
    metadata: Metadata = Field(default_factory=dict, description="Yours; given back with the job.")

    image_url: Url | None = Field(
        None, description="Where the picture is fetched from, by a worker.", examples=["https://example.com/cat.jpg"]
    )
    upload_id: UUID | None = Field(None, description="The picture that was put to an upload of yours.")

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, labels: list[str] | None) -> list[str] | None:
        if labels is None:
            return None
        limits = settings()
        unique = list(dict.fromkeys(labels))
        if any(len(label) > limits.maximum_label_characters for label in unique):
            raise ValueError(f"a label has at most {limits.maximum_label_characters} characters")
        return unique

    @field_validator("profile")
    @classmethod
    def _check_profile(cls, profile: str | None) -> str | None:
        if profile not in {None, settings().profile}:
            raise ValueError(f"this service runs {settings().profile}")
        return profile

    @field_validator("models")
    @classmethod
    def _check_models(cls, models: dict[Stage, str] | None) -> dict[Stage, str] | None:
        own, lent = settings().checkpoints, settings().lent_checkpoints
        for stage, name in (models or {}).items():
            names = [own[stage].name, *(found.name for found in lent.values() if found.stage is stage)]
            if name not in names:
                raise ValueError(f"{stage}: there is no model {name!r} here; there are: {', '.join(names)}")
        # What would answer anyhow need not be asked for.
        return {stage: name for stage, name in (models or {}).items() if name != own[stage].name} or None

    @model_validator(mode="after")
    def _check_candidates_are_named(self) -> "SubmissionFields":
        if bool(self.labels) == bool(self.description and self.description.strip()):
            raise ValueError("send either `description`, some words about the picture, or `labels`, the candidates")
        return self


class JsonSubmission(SubmissionFields):
    """The JSON body of a submission."""

    model_config = ConfigDict(json_schema_extra={"allOf": [WORDS, JSON_IMAGE]})

    image_base64: str | None = Field(None, description="The picture file in base64, standard alphabet.")

    @model_validator(mode="after")
    def _check_there_is_one_image(self) -> "JsonSubmission":
        if sum(source is not None for source in (self.image_base64, self.image_url, self.upload_id)) != 1:
            raise ValueError("send one of `image_base64`, `image_url` and `upload_id`")
        return self


class MultipartSubmission(SubmissionFields):
    """The multipart body of a submission; `metadata` and `models` are JSON texts there."""

    model_config = ConfigDict(json_schema_extra={"allOf": [WORDS, FORM_IMAGE]})

    image: bytes | None = Field(None, json_schema_extra={"format": "binary"}, description="The picture file.")


@dataclass(frozen=True)
class Submission:
    """The checked fields, and the image as a seekable file unless they point to it."""

    fields: SubmissionFields
    image: BinaryIO | None


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[Submission]:
    """The submission in a request's body; its image is closed after the block.

    Raises `UnsupportedMediaType`, `MalformedBody`, and `RequestValidationError`, which names the field.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        try:
            form = await request.form(max_files=1)
        except UnicodeError as error:  # of the charset that the header names
            raise MalformedBody(f"the form can't be read: {error}.") from error
        try:
            yield _from_form(form)
        finally:
            await form.close()
    elif content_type == "application/json":
        # Off the event loop: parsing thirty megabytes takes a while.
        yield await run_in_threadpool(_from_body, await request.body())
    else:
        raise UnsupportedMediaType(content_type)


def _from_form(form: FormData) -> Submission:
    if repeated := sorted(name for name in form if name not in LISTS and len(form.getlist(name)) > 1):
        raise MalformedBody(f"send `{repeated[0]}` once.")
    image = form.get("image")
    fields: dict[str, Any] = {name: form.get(name) for name in form if name not in {"image", *LISTS}}
    fields |= {name: form.getlist(name) for name in LISTS if name in form}
    fields |= {name: parse_json(str(fields[name]), name) for name in OBJECTS if name in fields}
    points_to_it = "image_url" in fields or "upload_id" in fields
    if points_to_it == isinstance(image, UploadFile):
        raise MalformedBody("send one of a file part named `image`, `image_url` and `upload_id`.")
    return Submission(validated(SubmissionFields, fields), image.file if isinstance(image, UploadFile) else None)


def _from_body(body: bytes) -> Submission:
    return from_json(parse_json(body, "the JSON body"))


def from_json(values: Any, where: tuple[str | int, ...] = ()) -> Submission:
    """The submission of a parsed JSON object; `where` it stands in the body is said in errors."""
    if isinstance(values, dict) and len(values) > MOST_FIELDS:
        raise MalformedBody(f"a submission has at most {MOST_FIELDS} fields.")
    submission = validated(JsonSubmission, values, where)
    if submission.image_base64 is None:
        return Submission(submission, None)
    try:
        image = base64.b64decode(submission.image_base64, validate=True)
    except ValueError as error:  # binascii's own, or of characters that aren't ASCII
        raise MalformedBody(f"image_base64: {error}.") from error
    return Submission(submission, io.BytesIO(image))


def validated(model: type[Fields], values: Any, where: tuple[str | int, ...] = ()) -> Fields:
    """The model of these values; raises `RequestValidationError`, whose fields begin with `where`."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**one, "loc": (*where, *one["loc"])} for one in found]) from error


def parse_json(text: str | bytes, name: str) -> Any:
    """The value of a JSON text; raises `MalformedBody`, which names it."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedBody(f"{name} is not JSON: {error}.") from error


def _refuse_constant(name: str) -> None:
    # Python takes NaN and Infinity; neither JSON nor Postgres does.
    raise ValueError(f"{name} is no JSON value")
