#!/bin/sh
# Makes the bucket, unless it is there.
set -eu
command() {
    echo "$1" | weed shell -master="$S3_HOST:${S3_MASTER_PORT:-9333}"
}
command "s3.bucket.list" | grep -q "^ *$S3_BUCKET[[:space:]]" || command "s3.bucket.create -name $S3_BUCKET"
