#!/bin/sh
# fetch.sh SOURCE TARGET: copies a model repository from an S3-like store. What a container that
# was restarted finds half done is completed; what is not in the store goes.
set -eu
exec rclone sync --checksum --transfers 8 --retries 5 --stats 10s --stats-one-line \
    --log-level INFO "$1" "$2"
