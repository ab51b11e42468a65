"""The image and the compose file say what they promise, as far as that can be read off them."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from wiretape.pyproject import SETTINGS

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
PROXIES = ("recorder", "replayer")
# `docker stop` kills after this unless it is told otherwise.
DOCKER_PATIENCE_S = 10


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "docker" / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def last_stage() -> dict[str, str]:
    stage: dict[str, str] = {}
    for name, rest in instructions():
        if name == "FROM":
            stage = {}
        stage[name] = f"{stage[name]} {rest}" if name in stage else rest
    return stage


def image_environment() -> dict[str, str]:
    return dict(each.split("=", 1) for each in shlex.split(last_stage()["ENV"]))


def is_setting(variable: str) -> bool:
    return variable.removeprefix("WIRETAPE_").lower().replace("_", "-") in SETTINGS


def ignored(path: str) -> bool:
    verdict = False
    for line in (ROOT / "docker" / "Dockerfile.dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if not line.startswith("#") and fnmatch.fnmatch(path, pattern):
            verdict = not line.startswith("!")
    return verdict


def test_the_image_does_not_run_as_root():
    user = last_stage()["USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert f"--owner={user.partition(':')[0]}" in last_stage()["RUN"]


def test_the_health_check_is_in_the_image_and_needs_no_curl():
    stage = last_stage()
    command = json.loads(stage["HEALTHCHECK"].partition("CMD ")[2])
    assert command[0] == "python3"
    assert f"docker/health.py {command[1]}" in stage["COPY"]


def test_the_image_is_built_from_what_is_there_and_not_ignored():
    for name, rest in instructions():
        if name == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert not ignored(source), source
    assert ignored("cassettes")
    assert ignored(".git")
    assert ignored("proxy/wiretape/__pycache__")


def test_what_the_image_sets_are_settings_that_fit_the_rest_of_it():
    environment, stage = image_environment(), last_stage()
    assert all(is_setting(name) for name in environment if name != "PATH")
    assert environment["WIRETAPE_LISTEN"] == f"0.0.0.0:{stage['EXPOSE']}"
    assert environment["WIRETAPE_DIR"] == stage["VOLUME"] == stage["WORKDIR"]
    assert int(environment["WIRETAPE_GRACE"]) < DOCKER_PATIENCE_S
    assert stage["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(stage["ENTRYPOINT"]) == ["wiretape"]  # a shell would not pass the signal on


def test_ollama_is_only_for_recording_and_asked_for_its_health_without_curl():
    assert SERVICES["ollama"]["healthcheck"]["test"] == ["CMD", "ollama", "list"]
    assert SERVICES["ollama"]["profiles"] == SERVICES["recorder"]["profiles"] == ["record"]
    assert SERVICES["recorder"]["depends_on"] == {"ollama": {"condition": "service_healthy"}}
    assert SERVICES["recorder"]["environment"]["WIRETAPE_UPSTREAM"] == "http://ollama:11434"


def test_the_replay_needs_nothing_else():
    alone = [name for name, service in SERVICES.items() if "replay" in service["profiles"]]
    assert alone == ["replayer"]
    assert "depends_on" not in SERVICES["replayer"]
    assert SERVICES["replayer"]["command"] == ["replay"]


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_is_reached_from_this_machine_and_by_its_name_alone(name: str):
    service = SERVICES[name]
    (port,) = service["ports"]
    assert port.startswith("127.0.0.1:")
    assert port.endswith(f":{last_stage()['EXPOSE']}")
    names = service["environment"]["WIRETAPE_ALLOW_HOST"].split()
    assert service["networks"]["default"]["aliases"] == names


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_has_time_to_finish_what_is_in_flight(name: str):
    service = SERVICES[name]
    patience_s = int(service["stop_grace_period"].removesuffix("s"))
    assert service["environment"]["WIRETAPE_GRACE"] < patience_s


@pytest.mark.parametrize("name", PROXIES)
def test_what_the_compose_file_sets_are_settings(name: str):
    assert all(is_setting(variable) for variable in SERVICES[name]["environment"])


@pytest.mark.parametrize("name", PROXIES)
def test_cassettes_are_a_directory_of_this_machine_that_has_to_exist(name: str):
    (volume,) = SERVICES[name]["volumes"]
    assert volume["target"] == image_environment()["WIRETAPE_DIR"]
    assert volume["bind"] == {"create_host_path": False}
    default = volume["source"].removeprefix("${WIRETAPE_DIR:-").removesuffix("}")
    assert (ROOT / "docker" / default).resolve() == ROOT / "cassettes"
