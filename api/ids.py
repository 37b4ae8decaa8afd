"""The ids in paths."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

BatchId = Annotated[UUID, Path(description="The batch's `id`.")]
DeliveryId = Annotated[UUID, Path(description="The delivery's `id`, which its receiver knows as `webhook-id`.")]
JobId = Annotated[UUID, Path(description="The job's `id`.")]
KeyId = Annotated[UUID, Path(description="The key's `id`: no secret.")]
