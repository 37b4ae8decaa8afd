"""Every metric, defined once: its name, its labels and what it says. docs/monitoring.md lists them.

It imports nothing of the project, so that whoever counts may import it. Labels take few values each: never an id, a
path, a tenant or a text of a caller's.
"""

from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

JOB_SECONDS = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
STAGE_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
WAIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

BUILD = Info("mainmask_build", "The version that runs.")
BUILD.info({"version": version("mainmask")})

JOBS_ACCEPTED = Counter(
    "mainmask_jobs_accepted_total",
    "Jobs taken, by where their image came from: the request, an upload, a URL; or reused: an earlier job's answer.",
    ["way"],
)
JOBS_FINISHED = Counter(
    "mainmask_jobs_finished_total",
    "Jobs that ended, by status (succeeded, failed, canceled) and outcome (found, not_found, or none without success).",
    ["status", "outcome"],
)
JOB_DURATION = Histogram(
    "mainmask_job_duration_seconds",
    "From a job's acceptance to its success or failure; reused answers and canceled jobs aside.",
    buckets=JOB_SECONDS,
)

STAGE_ATTEMPTS = Counter("mainmask_stage_attempts_total", "Runs of a stage that a worker has begun.", ["stage"])
STAGE_DURATION = Histogram(
    "mainmask_stage_duration_seconds",
    "Runs of a stage, by how they ended: succeeded, failed, retrying, or lost with their worker.",
    ["stage", "status"],
    buckets=STAGE_SECONDS,
)
STAGE_RETRIES = Counter(
    "mainmask_stage_retries_total",
    "Runs that ended in an error after which the stage is tried again, by the error's type.",
    ["stage", "cause"],
)
LEASE_TAKEOVERS = Counter(
    "mainmask_lease_takeovers_total", "Runs whose worker fell silent, taken from it by the sweep.", ["stage"]
)

# Measured, not counted: by whoever is asked for them, so that no other process says 0.
QUEUE = CollectorRegistry()
QUEUE_DEPTH = Gauge(
    "mainmask_queue_depth", "Stages that wait for a worker, counted to 100,000 each.", ["stage"], registry=QUEUE
)
OLDEST_JOB_AGE = Gauge(
    "mainmask_oldest_job_age_seconds",
    "How long the job has waited for a worker that has waited longest; 0 when none waits.",
    registry=QUEUE,
)

BATCH_SIZE = Histogram(
    "mainmask_batch_size", "Inputs of one model call.", ["stage"], buckets=(1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
)
BATCH_WAIT = Histogram(
    "mainmask_batch_wait_seconds",
    "How long an input waited for its model call to begin.",
    ["stage"],
    buckets=WAIT_SECONDS,
)
CACHE_REQUESTS = Counter(
    "mainmask_cache_requests_total",
    "Look-ups of what a model said before, by result: hit or miss.",
    ["cache", "result"],
)
GPU_MEMORY = Gauge(
    "mainmask_gpu_memory_bytes",
    "Memory of a CUDA device: allocated and reserved by this process, free and total of the device.",
    ["device", "kind"],
)

WEBHOOK_ATTEMPTS = Counter(
    "mainmask_webhook_attempts_total",
    "Attempts to deliver a webhook, by what followed: succeeded, retrying, failed (given up) or disabled (410 Gone).",
    ["result"],
)

HTTP_REQUESTS = Counter(
    "mainmask_http_requests_total",
    "Requests, by method, route (its template, or none) and status.",
    ["method", "route", "status"],
)
HTTP_REQUEST_DURATION = Histogram(
    "mainmask_http_request_duration_seconds",
    "From a request's arrival to the beginning of its answer, which `Prefer: wait` puts off.",
    ["route"],
    buckets=REQUEST_SECONDS,
)
