#!/usr/bin/env bash
# Asks PyPI's advisories for known vulnerabilities of every locked package; fails if there is one, or no answer for one.
# Usage: tools/release-audit.sh [options of pip-audit, such as --ignore-vuln ID]
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.taskhub/tools/audit
if ! cmp -s tools/release-audit.txt "$venv/installed.txt"; then
    python3 -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r tools/release-audit.txt
    cp tools/release-audit.txt "$venv/installed.txt"
fi

failed=()
for lock in requirements/*.txt tools/uv.txt tools/release-audit.txt tools/policy-scan.txt; do
    echo "audit: $lock"
    # A lock is complete and hashed, so nothing is resolved or installed. Strict: a package that PyPI does not know fails.
    "$venv/bin/pip-audit" --strict --require-hashes --disable-pip --progress-spinner off --requirement "$lock" "$@" ||
        failed+=("$lock")
done

if ((${#failed[@]})); then
    echo "audit: failed: ${failed[*]}" >&2
    exit 1
fi
