#!/usr/bin/env bash
# Runs every linter, each timed; all run even if one fails, and the exit code says whether any did.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

failed=()
lint() {
    local title=$1 started=$SECONDS
    shift
    if "$@"; then
        echo "lint: $title ok ($((SECONDS - started)) s)"
    else
        echo "lint: $title FAILED ($((SECONDS - started)) s)"
        failed+=("$title")
    fi
}

lint "ruff check" ruff check --quiet .
lint "ruff format" ruff format --quiet --check .
lint "mypy" mypy --no-error-summary
lint "import rules" lint-imports --no-logo
lint "dashboards" python -m observability.dashboards check
lint "failure matrix" python -m tools.matrix check
lint "metrics contract" python tools/metrics_contract.py --check
lint "rules of SLOs" python tools/slo_rules.py --check
# Another linter is one more line here.

if ((${#failed[@]})); then
    echo "lint: failed: ${failed[*]}" >&2
    exit 1
fi
