"""The local stack: real Postgres, Redis and S3, the API, a worker and Flower, as child processes of one command."""
