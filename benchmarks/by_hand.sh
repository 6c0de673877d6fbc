#!/usr/bin/env bash
# A release by hand, as many teams have it in a script: the same steps as `shipper release`, one after the other.
#
#   by_hand.sh setup                  network and proxy, once
#   by_hand.sh release PROJECT TAG    the release; its last line is JSON: milliseconds per step
#   by_hand.sh rollback TAG           the image of then in front again, by somebody who knows its tag; JSON as well
#   by_hand.sh down                   remove everything of it
#
# NAME (by-hand), IMAGE (127.0.0.1:5000/by-hand/iris), PORT (8091), APP_PORT (8000), HEALTH (/healthz),
# TRIVY (trivy), TRIVY_CACHE: what a user would write into the script.
set -euo pipefail

NAME=${NAME:-by-hand}
IMAGE=${IMAGE:-127.0.0.1:5000/by-hand/iris}
PORT=${PORT:-8091}
APP_PORT=${APP_PORT:-8000}
HEALTH=${HEALTH:-/healthz}
TRIVY=${TRIVY:-trivy}
PROXY_IMAGE=${PROXY_IMAGE:-haproxy:lts}
export no_proxy=127.0.0.1,localhost

steps=()
step() {  # step NAME: what ran since the last step took this long
  local now=${EPOCHREALTIME/./}
  steps+=("\"$1\": $(((now - then) / 1000))")
  then=$now
}

wait_for() {  # wait_for URL: every half second, for a minute
  for _ in $(seq 120); do
    curl -sf -o /dev/null --max-time 2 "$1" && return
    sleep 0.5
  done
  echo "$1 does not answer" >&2
  exit 1
}

address_of() { docker inspect --format "{{(index .NetworkSettings.Networks \"$NAME\").IPAddress}}" "$1"; }

proxy_configuration() {  # proxy_configuration ADDRESS
  cat <<EOF
global
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind :8080
  default_backend service
backend service
  server current $1:$APP_PORT
EOF
}

write_proxy_configuration() {  # as one file, put in place at once
  proxy_configuration "$1" | docker exec -i "$NAME-proxy" sh -c 'cat > /tmp/haproxy.new && mv /tmp/haproxy.new /tmp/haproxy.cfg'
}

setup() {
  docker network inspect "$NAME" >/dev/null 2>&1 || docker network create "$NAME" >/dev/null
  docker inspect "$NAME-proxy" >/dev/null 2>&1 && return
  docker run -d --name "$NAME-proxy" --network "$NAME" -p "127.0.0.1:$PORT:8080" --entrypoint sh "$PROXY_IMAGE" \
    -c 'until [ -f /tmp/haproxy.cfg ]; do sleep 0.1; done; exec haproxy -W -db -f /tmp/haproxy.cfg' >/dev/null
}

release() {
  local project=$1 tag=$2 image=$IMAGE:$2 new=$NAME-$2 old candidate
  old=$(docker ps -q --filter "label=by-hand=$NAME")
  then=${EPOCHREALTIME/./}
  local started=$then

  docker buildx build --quiet --load --tag "$image" "$project" >/dev/null
  step build
  "$TRIVY" image ${TRIVY_CACHE:+--cache-dir "$TRIVY_CACHE" --skip-db-update --skip-java-db-update --offline-scan} \
    --skip-version-check --quiet --scanners vuln,secret --severity CRITICAL --ignore-unfixed --exit-code 1 "$image" >/dev/null
  step scan
  candidate=$NAME-candidate
  docker run -d --name "$candidate" --read-only --tmpfs /tmp --memory 512m --cpus 1 --init -e "PORT=$APP_PORT" \
    -p "127.0.0.1::$APP_PORT" "$image" >/dev/null
  wait_for "http://$(docker port "$candidate" "$APP_PORT/tcp")$HEALTH"
  docker stop "$candidate" >/dev/null
  docker rm "$candidate" >/dev/null
  step smoke
  docker push --quiet "$image" >/dev/null
  step push
  replace "$image" "$new" "$old"
}

rollback() {
  local old
  old=$(docker ps -q --filter "label=by-hand=$NAME")
  then=${EPOCHREALTIME/./}
  local started=$then
  docker image inspect "$IMAGE:$1" >/dev/null
  replace "$IMAGE:$1" "$NAME-$1-$started" "$old"
}

replace() {  # replace IMAGE NAME OLD: start, wait, reload, verify, remove; then the JSON
  local image=$1 new=$2 old=$3
  docker run -d --name "$new" --label "by-hand=$NAME" --network "$NAME" --restart unless-stopped --read-only --tmpfs /tmp \
    --memory 512m --cpus 1 --init -e "PORT=$APP_PORT" "$image" >/dev/null
  step run
  wait_for "http://$(address_of "$new"):$APP_PORT$HEALTH"
  step ready
  write_proxy_configuration "$(address_of "$new")"
  docker kill --signal USR2 "$NAME-proxy" >/dev/null
  step reload
  wait_for "http://127.0.0.1:$PORT$HEALTH"
  step verify
  if [ -n "$old" ]; then
    docker stop $old >/dev/null
    docker rm $old >/dev/null
  fi
  step remove
  steps+=("\"total\": $(((then - started) / 1000))")
  (IFS=,; echo "{${steps[*]}}")
}

down() {
  local all
  all=$(docker ps -aq --filter "label=by-hand=$NAME"; docker ps -aq --filter "name=^$NAME-(proxy|candidate)$")
  if [ -n "$all" ]; then docker rm -f $all >/dev/null; fi
  docker network rm "$NAME" >/dev/null 2>&1 || true
  docker images --format '{{.Repository}}:{{.Tag}}' "$IMAGE" | xargs -r docker rmi >/dev/null
}

case ${1:-} in
  setup) setup ;;
  release) release "$2" "$3" ;;
  rollback) rollback "$2" ;;
  down) down ;;
  *) sed -n '2,10p' "$0"; exit 2 ;;
esac
