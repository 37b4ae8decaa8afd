"""What the OpenAPI document says before the routes."""

DESCRIPTION = """\
Submit a picture with some words about it; the job's result is the mask of the picture's **main object**.

1. `POST /v1/jobs` with an image (a file, `image_base64`, `image_url` or `upload_id`) and a `description` or `labels`.
   The answer, 202, is the job: from then on it can't be lost.
2. Wait for its end: ask for it again, let `Prefer: wait=10` wait for you, listen to its events, or have a webhook sent.
3. Fetch the mask, the cut-out or the overlay, or take the mask as run lengths or polygons from `result.instances`.

**Keys.** Send `Authorization: Bearer mm_…`; a local stack asks for none. You see your own tenant's jobs alone.

**Errors** are problem documents (RFC 9457). Their `type` is stable: decide by it, not by the text.

**Repeating a request** with the same `Idempotency-Key` gets the first answer again, and never a second job.

**Times** are UTC, **boxes** XYXY in pixels of the upright image, **masks** COCO run lengths over the same pixels.
"""

TAGS = [
    {"name": "jobs", "description": "One picture, some words, one answer."},
    {"name": "batches", "description": "Many jobs in one call, with a status and a webhook of their own."},
    {"name": "uploads", "description": "Large pictures straight to the storage."},
    {"name": "models", "description": "Which models answer, and under which licences."},
    {"name": "webhooks", "description": "What was sent to you, its signing secrets, and how to have it sent again."},
    {"name": "keys", "description": "For operators: who may call, and how much."},
    {"name": "health", "description": "For load balancers and orchestrators."},
]
