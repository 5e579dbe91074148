#!/usr/bin/env bash
# Scans Terraform sources for settings that are known to be unsafe (checkov). What is skipped, and why: .checkov.yaml.
# Usage: tools/policy-scan.sh [FOLDER], default infra/terraform; --install only installs it.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.taskhub/tools/policy-scan
if ! cmp -s tools/policy-scan.txt "$venv/installed.txt"; then
    python3 tools/bootstrap.py
    uv=$(python3 tools/bootstrap.py --print-uv)
    "$uv" venv --quiet --clear --python .venv/bin/python "$venv"
    "$uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r tools/policy-scan.txt
    cp tools/policy-scan.txt "$venv/installed.txt"
fi

if [[ ${1:-} != --install ]]; then
    exec "$venv/bin/checkov" --config-file .checkov.yaml --framework terraform --directory "${1:-infra/terraform}"
fi
