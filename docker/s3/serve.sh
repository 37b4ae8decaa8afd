#!/bin/sh
# SeaweedFS's S3, with one key that may read and write one bucket, and nothing else.
set -eu
umask 077
identities=/tmp/identities.json
cat > "$identities" <<END
{"identities": [{
  "name": "mainmask",
  "credentials": [{"accessKey": "$S3_ACCESS_KEY_ID", "secretKey": "$S3_SECRET_ACCESS_KEY"}],
  "actions": ["Read:$S3_BUCKET", "Write:$S3_BUCKET", "List:$S3_BUCKET"]
}]}
END
# Its other services, and telling its makers about this server, are off.
exec weed -logtostderr=true server -dir="$S3_FOLDER" -ip="$S3_HOST" -ip.bind=0.0.0.0 \
    -master.volumeSizeLimitMB=1024 -master.telemetry=false -volume.max=0 \
    -s3 -s3.config="$identities" -s3.iam=false -s3.port.iceberg=0 -s3.port.lance=0 "$@"
