#!/usr/bin/env bash
# Writes what follows from the charts' values.yaml: values.schema.json and README.md. With --check: says what is stale.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
helm_docs=$("$python" -c 'from tests.e2e.cluster.tools import tool; print(tool("helm-docs"))')
"$python" tools/values_schema.py "$@"

stale=()
for chart in charts/api charts/worker charts/sqs-consumer charts/backing charts/observability; do
    readme=$("$helm_docs" --chart-to-generate "$chart" --sort-values-order file --log-level error --dry-run)
    if [[ ${1:-} != --check ]]; then
        printf '%s\n' "$readme" >"$chart/README.md"
    elif [[ $readme != "$(<"$chart/README.md")" ]]; then
        stale+=("$chart/README.md")
    fi
done
if ((${#stale[@]})); then
    echo "Not up to date: ${stale[*]}. Run: make chart-docs" >&2
    exit 1
fi
