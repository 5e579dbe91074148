#!/bin/sh
# Makes an image's virtual environment /app in the builder stage of a Dockerfile, in steps, so that Docker keeps the
# results of the first ones, which the images share, while only our own code changes:
#   image-venv.sh prepare                 what builds: a pip, hatchling, strip
#   image-venv.sh packages REQUIREMENTS   installs exactly the hashed lock, without what a container never uses
#   image-venv.sh members FOLDER...       builds our own packages and installs them, not editable
set -eu
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore

prepare() {
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends binutils >/dev/null
    python3 -m venv /build
    /build/bin/pip install --quiet --require-hashes -r requirements/build.txt
    # Without pip: nothing can be installed into a running container.
    python3 -m venv --without-pip /app
}

packages() {
    /build/bin/pip --python /app/bin/python install --quiet --require-hashes -r "$1"
    prune "$(/app/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    compile
}

members() {
    /build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels "$@"
    /build/bin/pip --python /app/bin/python install --quiet --no-index --no-deps /wheels/*.whl
    compile
}

# What takes a third of the room and is not run: AWS services other than SQS and those that credentials come from,
# tests, C sources and stubs, and debugging symbols. Libraries bundled by auditwheel (*.libs) do not survive `strip`.
prune() {
    if [ -d "$1/botocore/data" ]; then
        find "$1/botocore/data" -mindepth 1 -maxdepth 1 -type d \
            ! -name sqs ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -rf {} +
    fi
    find "$1" -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
    find "$1" -type f \( -name '*.c' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' \) -delete
    find "$1" -name '*.so' ! -path '*.libs/*' -exec strip --strip-unneeded {} +
}

# Compiles what is not compiled yet, without the files' times in it: layers may be unpacked with other ones.
compile() {
    /app/bin/python -c '
import importlib.util, pathlib
for source in pathlib.Path("/app/lib").rglob("*.py"):
    if not pathlib.Path(importlib.util.cache_from_source(source)).exists():
        print(source)
' | /app/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash -i -
}

"$@"
