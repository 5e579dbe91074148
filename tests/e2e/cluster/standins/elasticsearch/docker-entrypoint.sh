#!/bin/bash
# Starts Elasticsearch; a variable whose name has a dot, such as discovery.type, is a setting.
set -euo pipefail
if [ "${1:-eswrapper}" != eswrapper ]; then
    if [ "${1#-}" = "$1" ] && [ "$1" != elasticsearch ]; then
        exec "$@"
    fi
fi
settings=()
while IFS='=' read -r -d '' name value; do
    if [[ $name =~ ^[a-z0-9_]+(\.[a-z0-9_-]+)+$ && -n $value ]]; then
        settings+=("-E$name=$value")
    fi
done < <(env -0)
case ${1:-eswrapper} in
    eswrapper | elasticsearch) shift || true ;;
esac
exec /usr/share/elasticsearch/bin/elasticsearch "${settings[@]}" "$@"
