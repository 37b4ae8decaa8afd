#!/bin/sh
# Prometheus, with the token that /metrics ask for in a file, where its configuration can name it: that reads no
# variables, and Compose gives secrets to no container whose root can't be written to.
set -eu
umask 077
printf %s "$METRICS_TOKEN" > "$METRICS_TOKEN_FILE"
unset METRICS_TOKEN
exec prometheus "$@"
