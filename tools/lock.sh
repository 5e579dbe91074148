#!/usr/bin/env bash
# Resolves every dependency again and writes requirements/*.txt: hashed, for every platform, one file an image and one for development.
# Usage: tools/lock.sh [uv options, such as --upgrade or --upgrade-package NAME]; UV names the uv to use.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=${UV:-$(python3 tools/bootstrap.py --print-uv)}
members=(taskhub-core taskhub-api taskhub-worker taskhub-sqs-consumer taskhub-local)
compile=("$uv" pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-header --no-annotate)
for member in "${members[@]}"; do
    compile+=(--no-emit-package "$member")
done

# Development first: the images are constrained to the same versions, so that what was tested is what ships.
echo "requirements/dev.txt"
"${compile[@]}" "$@" --group dev apps/*/pyproject.toml libs/*/pyproject.toml -o requirements/dev.txt >/dev/null
for app in apps/*/; do
    name=$(basename "$app")
    echo "requirements/$name.txt"
    "${compile[@]}" --constraint requirements/dev.txt "$app/pyproject.toml" -o "requirements/$name.txt" >/dev/null
done

# What every image has, so that Docker installs it once for all.
echo "requirements/core.txt"
"${compile[@]}" --constraint requirements/dev.txt libs/taskhub-core/pyproject.toml -o requirements/core.txt >/dev/null

# What builds our own wheels inside the images, so that nothing unpinned takes part in a build.
echo "requirements/build.txt"
echo "hatchling>=1.27" | "${compile[@]}" --constraint requirements/dev.txt - -o requirements/build.txt >/dev/null

# The mail and webhook sink of the kind cluster.
echo "requirements/sink.txt"
echo "aiosmtpd>=1.4" | "${compile[@]}" --constraint requirements/dev.txt - -o requirements/sink.txt >/dev/null

# What only the benchmarks need: the peers that TaskHub is measured against.
echo "requirements/bench.txt"
"${compile[@]}" --constraint requirements/dev.txt --group bench -o requirements/bench.txt >/dev/null

# What only the report of make e2e needs: the pictures in it.
echo "requirements/e2e.txt"
"${compile[@]}" --constraint requirements/dev.txt --group e2e -o requirements/e2e.txt >/dev/null

# The uv that tools/bootstrap.py installs where there is none.
echo "tools/uv.txt"
echo uv | "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "$@" - -o tools/uv.txt >/dev/null

# What audits all of these (tools/release-audit.sh), apart from them: it is no part of the environment that it audits.
echo "tools/release-audit.txt"
echo pip-audit | "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "$@" - -o tools/release-audit.txt >/dev/null

# What scans for unsafe settings (tools/policy-scan.sh), apart from them too: it holds back many packages.
echo "tools/policy-scan.txt"
echo checkov | "$uv" pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-header --no-annotate "$@" - -o tools/policy-scan.txt >/dev/null
