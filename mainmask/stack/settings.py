"""The settings (`MAINMASK_…`) that lead Mainmask's own processes to the stack's servers."""

import os

from mainmask.stack.postgres import Postgres
from mainmask.stack.redis import Redis
from mainmask.stack.s3 import S3


def settings(postgres: Postgres, redis: Redis, s3: S3) -> dict[str, str]:
    """Where the servers are and how to log in; all else is left to the user's environment and the defaults.

    Only this machine reaches the stack, so its callers need no keys, unless the user's environment says otherwise.
    """
    return {
        "MAINMASK_DATABASE_URL": postgres.url,
        "MAINMASK_REDIS_URL": redis.url,
        "MAINMASK_S3_ENDPOINT_URL": s3.endpoint_url,
        "MAINMASK_S3_ACCESS_KEY_ID": s3.access_key_id,
        "MAINMASK_S3_SECRET_ACCESS_KEY": s3.secret_access_key,
        "MAINMASK_S3_BUCKET": s3.bucket,
        "MAINMASK_S3_REGION": s3.region,
        # Who runs this stack reads its logs; machines don't.
        "MAINMASK_LOG_FORMAT": os.environ.get("MAINMASK_LOG_FORMAT", "console"),
        "MAINMASK_AUTH": os.environ.get("MAINMASK_AUTH", "false"),
    }
