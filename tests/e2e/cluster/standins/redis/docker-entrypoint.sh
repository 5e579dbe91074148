#!/bin/sh
# Starts Redis: options or a configuration file alone are meant for redis-server.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    chown -R redis: .
    exec setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
fi
# Without a password it would only answer its own loopback.
if [ "$1" = redis-server ]; then
    command=$1
    shift
    set -- "$command" "$@" --protected-mode no
fi
exec "$@"
