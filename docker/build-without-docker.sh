#!/usr/bin/env bash
# Builds the image where there is no Docker engine, then records and replays through it.
#
# As root on Debian or Ubuntu, with buildah and debootstrap installed and the package registries
# in reach; python:3.12-slim is replaced by a bare Debian if it is not there already. Left out:
# what only an engine does (published ports, networks, running the health check by itself).
# CACHE keeps the base image's files; PIP_CERT, if set, is what pip trusts during the build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

base=python:3.12-slim
image=wiretape-tried
cache=${CACHE:-$HOME/.cache/wiretape/image}
port=${PORT:-11535}
work=$(mktemp -d)
export BUILDAH_ISOLATION=chroot

finish() {
    for process in engine recorded; do
        kill "$(cat "$work/$process/pid" 2> /dev/null)" 2> /dev/null || true
    done
    buildah rm "$image-engine" "$image-recorded" > /dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT

if [ -z "$(buildah images --quiet "$base" 2> /dev/null)" ]; then
    if [ ! -d "$cache/rootfs" ]; then
        mkdir -p "$cache"
        rm -rf "$cache/making"
        debootstrap --variant=minbase \
            --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$cache/making"
        mv "$cache/making" "$cache/rootfs"
    fi
    printf 'FROM scratch\nADD rootfs /\n' > "$work/base"
    buildah bud --quiet -t "$base" -f "$work/base" "$cache" > /dev/null
fi

trust=()
if [ -n "${PIP_CERT:-}" ]; then
    printf '[global]\ncert = /pip-cert.pem\n' > "$work/pip.conf"
    trust=(-v "$PIP_CERT:/pip-cert.pem:ro" -v "$work/pip.conf:/etc/pip.conf:ro")
fi
echo "== build"
# Not `oci`, the default: that format has no health check.
buildah bud --quiet --format docker --pull=never "${trust[@]}" -t "$image" -f docker/Dockerfile .

inside() { # VOLUME PORT COMMAND...: in the container of that name
    buildah run -v "$work/$1:/cassettes" --env "WIRETAPE_LISTEN=127.0.0.1:$2" "$image-$1" -- "${@:3}"
}

start() { # VOLUME PORT ARGUMENTS...: returns once it answers
    local log=$work/$1-$2.log
    # shellcheck disable=SC2016  # the inner shell expands these
    inside "$1" "$2" sh -c 'echo $$ > /cassettes/pid; exec wiretape "$@"' sh "${@:3}" > "$log" 2>&1 &
    for _ in $(seq 150); do
        if inside "$1" "$2" python3 /opt/wiretape/health.py 2> /dev/null; then return; fi
    done
    cat "$log"
    exit 1
}

stop() { # VOLUME PORT JOB: as an engine does, with SIGTERM to the command itself
    kill -TERM "$(cat "$work/$1/pid")"
    rm "$work/$1/pid"
    wait "$3" || { cat "$work/$1-$2.log"; exit 1; }
    cat "$work/$1-$2.log"
}

# Asks what the cassettes in notes/ were asked; prints what came.
client='
import http.client, json, pathlib, sys, yaml
for path in sorted(pathlib.Path("/cassettes").glob("notes/*.yaml")):
    request = yaml.load(path.read_text(), yaml.CSafeLoader)["entries"][0]
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
    connection.request("POST", request["target"], json.dumps(request["json"]))
    answer = connection.getresponse()
    print(answer.status, answer.read().decode())
'
ask() { inside engine "$1" python3 -c "$client" "$1"; }

for name in engine recorded; do
    buildah from --quiet --pull=never --name "$image-$name" "$image" > /dev/null
    # A declared volume beats a mounted directory here; an engine has it the other way round.
    buildah config --volume /cassettes- "$image-$name"
    mkdir "$work/$name"
done
cp -r cassettes/notes "$work/engine/"
chown -R 1000:1000 "$work"
chmod a+rx "$work"

echo "== who is in it"
inside recorded 0 id
echo "== record, with a replay in place of an engine"
start engine "$port" replay
engine=$!
start recorded "$((port + 1))" record --cassette again --upstream "http://127.0.0.1:$port"
recorder=$!
ask "$((port + 1))" > "$work/first"
stop recorded "$((port + 1))" "$recorder"
stop engine "$port" "$engine"
echo "== replay"
start recorded "$((port + 2))" replay --strict
replayer=$!
ask "$((port + 2))" > "$work/second"
stop recorded "$((port + 2))" "$replayer"
grep -q "200 data: " "$work/first"
cmp "$work/first" "$work/second"
echo "== the same"
