#!/usr/bin/env bash
# Installs what the build and the suite need and this machine lacks: Debian 12's packages, or those of a newer one.
#   tools/dependencies.sh          what building and running need
#   tools/dependencies.sh --test   and what the whole suite needs beside it
#   tools/dependencies.sh --bench  and what the benchmarks compare with
#   tools/dependencies.sh --package  and what making packages needs
set -euo pipefail

packages=(g++ cmake ninja-build pkg-config binutils
  cppzmq-dev libboost-dev libcereal-dev libcli11-dev libelf-dev libfmt-dev libsodium-dev libspdlog-dev libtomlplusplus-dev
  libsystemd-dev libzmq3-dev nlohmann-json3-dev prometheus-cpp-dev)
if [[ "${1:-}" == --test ]]; then
  packages+=(ccache clang clang-format dpkg-dev file libclang-rt-dev libbenchmark-dev libc++-dev libc++abi-dev libgmock-dev libgtest-dev
    gcc-aarch64-linux-gnu gdb iproute2 libc6-dev-arm64-cross libfaketime lintian lld man-db mount
    prometheus python3-cbor2 python3-jsonschema python3-zmq rsync systemd zsh)
fi
if [[ "${1:-}" == --bench ]]; then
  packages+=(libbenchmark-dev libgrpc++-dev protobuf-compiler protobuf-compiler-grpc)
fi

if [[ "${1:-}" == --package ]]; then
  packages+=(dpkg-dev file lintian)
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if ((${#missing[@]} == 0)); then exit 0; fi

echo "installing: ${missing[*]}" >&2
as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "tools/dependencies.sh: these packages are missing and only root can install them: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
# A mirror that is busy for a moment must not fail a build.
for attempt in 1 2 3; do
  if "${as_root[@]}" apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2; then
    exit 0
  fi
  echo "tools/dependencies.sh: attempt $attempt failed" >&2
done
exit 1
