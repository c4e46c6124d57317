#!/usr/bin/env bash
# What can be judged without building anything: format, and who includes whom.
#   tools/lint.sh --analyse   clang's warnings and thread-safety analysis as well, as building by clang has them
#                             (tools/sanitize.sh asan), for who does not build that now; takes minutes
#   tools/lint.sh --tidy      clang-tidy as well, which takes longer
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t sources < <(git ls-files '*.c' '*.h' '*.cpp' '*.hpp')
clang-format --dry-run -Werror "${sources[@]}"
echo "format: ${#sources[@]} files"

# Arrows between folders run one way (README.md, "Where things are"). A pattern of includes, and the folders that must not have it.
forbid() {
  local pattern=$1
  shift
  if git grep -nE "#include [\"<]$pattern" -- "$@"; then
    echo "tools/lint.sh: these files include what their folder must not know" >&2
    exit 1
  fi
}
forbid '(busbar/registry/|dispatch/|plugins/|admin/|daemon/|pool/|events/|config/|log/|rundir/)' plugin-sdk keys
forbid 'busbar/keys/' plugin-sdk
forbid '(dispatch/|plugins/|admin/|daemon/|pool/|events/|config/|log/|rundir/)' registry
forbid '(busbar/registry/|dispatch/|plugins/|admin/admin_|daemon/|pool/|events/|config/|log/|rundir/)' cli plugins
forbid '(metrics/|http/)' host/dispatch host/transport host/node host/pool host/events host/log host/config host/plugins host/admin
forbid '(plugins/|admin/|daemon/|config/|rundir/)' host/dispatch host/transport host/node host/pool host/events host/log
forbid '(node/|transport/)' host/dispatch host/pool host/events host/log host/config host/plugins
forbid '(dispatch/|plugins/|events/)' host/pool host/log host/http
forbid '(dispatch/|admin/|daemon/|pool/|events/)' host/plugins/file
forbid '(dispatch/|plugins/|admin/|daemon/|pool/|events/|log/|config/|node/|transport/|http/)' host/scheduling
echo "includes: one way"

[[ -n "${1:-}" ]] || exit 0
# -fsyntax-only is enough for the analysis; the commands are those of the build, run by clang.
mapfile -t analysed < <(git ls-files 'host/*.cpp' 'keys/*.cpp' 'registry/*.cpp' 'cli/*.cpp')
printf '%s\n' "${analysed[@]}" | xargs -P "$(nproc)" -I{} clang++ -std=c++20 -fsyntax-only -Wall -Wextra -Wthread-safety \
  -Werror -DBOOST_DLL_USE_STD_FS -DBOOST_ERROR_CODE_HEADER_ONLY -DBUSBAR_VERSION='"lint"' -DSPDLOG_COMPILED_LIB \
  -DSPDLOG_FMT_EXTERNAL -Iplugin-sdk/include -Iplugin-sdk/tools -Ikeys/include -Ikeys -Iregistry/include -Iregistry -Ihost -Icli {}
echo "thread safety: ${#analysed[@]} files"

if [[ "$1" == --tidy ]]; then
  [[ -f build/dev/compile_commands.json ]] || cmake --preset dev >/dev/null
  printf '%s\n' "${analysed[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy -p build/dev --quiet
fi
