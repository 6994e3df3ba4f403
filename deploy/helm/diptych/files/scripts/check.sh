#!/bin/sh
# check.sh FOLDER DIGEST: FOLDER/SHA256SUMS has this digest, and lists all files as they are.
# Make it with: (cd FOLDER && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs -d '\n' sha256sum > SHA256SUMS)
set -eu
cd "$1"
if [ ! -f SHA256SUMS ]; then
    echo "There is no SHA256SUMS in $1: make one, and put its digest into models.digest." >&2
    exit 1
fi
actual=$(sha256sum SHA256SUMS | cut -d ' ' -f 1)
if [ "$actual" != "$2" ]; then
    echo "SHA256SUMS has the digest $actual, and models.digest is $2: not the same models." >&2
    exit 1
fi
sha256sum --check --quiet --strict SHA256SUMS
listed=$(wc -l < SHA256SUMS)
present=$(find . -type f ! -name SHA256SUMS | wc -l)
if [ "$listed" -ne "$present" ]; then
    echo "$present files are there, and SHA256SUMS lists $listed: remove what is not listed." >&2
    exit 1
fi
echo "$listed files are as listed."
