#!/usr/bin/env bash
# Installs the npm clients at the versions in package.json beside this file, for the tests marked `node`,
# into ${WIRETAPE_ENGINE_CACHE:-$HOME/.cache/wiretape}/node-clients. Takes seconds. Needs Node and npm.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
into=${WIRETAPE_ENGINE_CACHE:-$HOME/.cache/wiretape}/node-clients

for program in node npm; do
    command -v "$program" >/dev/null || { echo "install: $program is not installed" >&2; exit 1; }
done
mkdir -p "$into"
cmp --silent "$here/package.json" "$into/package.json" && [[ -e $into/installed ]] && exit 0
rm -f "$into/installed"
cp "$here/package.json" "$into/package.json"
cd "$into"
npm install --no-package-lock --no-audit --no-fund --loglevel=error
touch installed
