#!/bin/sh
# The image's entry point: turns what people pass to Redis images into a start of Casky.
#
#   casky | redis-server [configuration file] [options]     the server, under either name
#   --port 7000, /etc/casky.conf, -                         options, a configuration file or standard input alone: the server
#   anything else                                           that command, as it is (sh, node, redis-cli)
#
# Defaults that only make sense in a container (a file that the configuration names, the environment and options win):
#
#   bind * -::*          a container is reached from outside or not at all
#   protected-mode no    as in the Redis image; so set a password before the port is published
#   dir /data            the volume: the directory the container was started in
#
# Environment: CASKY_<DIRECTIVE>, CASKY_<SECRET>_FILE and CASKY_EXTRA_FLAGS are Casky's own (casky.conf.example). Names of other images
# are understood where Casky's own is not set: REDIS_PASSWORD, REDIS_PASSWORD_FILE, REDIS_PORT_NUMBER.
#
# Started as root, the data directory is given to the user casky and root is given up. Started as any other user (--user 12345),
# nothing is changed: the directory must be writable by that user.

set -eu

case "${1:-}" in
  '' | -* | *.conf) set -- casky "$@" ;;
  redis-server | casky-server)
    shift
    set -- casky "$@"
    ;;
esac

[ "$1" = casky ] || exec "$@"

# The configuration file is the first argument unless that is an option. What cannot be seen from here (standard input, files that
# it includes) may say anything, so then nothing is assumed about it.
conf=
if [ $# -gt 1 ]; then
  case "$2" in
    -*) ;;
    *) conf=$2 ;;
  esac
fi
hidden=no
for word in "$@"; do
  [ "$word" != - ] || hidden=yes
done
if [ -n "$conf" ] && grep -qiE "^[[:space:]]*[\"']?include[\"']?[[:space:]]" "$conf" 2>/dev/null; then hidden=yes; fi

# Does the configuration say something about this directive, as far as we know?
configured() {
  [ "$hidden" = yes ] || { [ -n "$conf" ] && grep -qiE "^[[:space:]]*[\"']?$1[\"']?[[:space:]]" "$conf" 2>/dev/null; }
}

if [ -z "${CASKY_BIND:-}" ] && ! configured bind; then export CASKY_BIND='* -::*'; fi
if [ -z "${CASKY_PROTECTED_MODE:-}" ] && ! configured protected-mode; then export CASKY_PROTECTED_MODE=no; fi
if [ -z "${CASKY_DIR:-}" ] && ! configured dir; then export CASKY_DIR=.; fi

if [ -z "${CASKY_REQUIREPASS:-}${CASKY_REQUIREPASS_FILE:-}" ]; then
  if [ -n "${REDIS_PASSWORD_FILE:-}" ]; then
    export CASKY_REQUIREPASS_FILE="$REDIS_PASSWORD_FILE"
  elif [ -n "${REDIS_PASSWORD:-}" ]; then
    export CASKY_REQUIREPASS="$REDIS_PASSWORD"
  fi
fi
# Kubernetes sets CASKY_PORT=tcp://... for a service called casky: that is no port.
case "${CASKY_PORT:-}" in
  '' | tcp://* | udp://*) [ -z "${REDIS_PORT_NUMBER:-}" ] || export CASKY_PORT="$REDIS_PORT_NUMBER" ;;
esac

# Data is nobody else's to read, unless who started us has already decided on a umask of their own.
[ "$(umask)" != 0022 ] || umask 0077

# exec all the way: the server is the process that was started, so that it is the one that gets SIGTERM.
[ "$(id -u)" = 0 ] || exec "$@"
find . ! -user casky -exec chown casky '{}' +
exec setpriv --reuid=casky --regid=casky --clear-groups -- "$@"
