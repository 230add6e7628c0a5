#!/usr/bin/env bash
# Generate what is generated: generated/ollama_api from spec/ollama.yaml, and the sync shells from the async ones.
#
#   ./codegen.sh           generate and replace
#   ./codegen.sh --check   generate elsewhere and compare: exit 1 and the names of the files that differ
#
# spec/templates/README.md says how. The tools are pinned in pyproject.toml (group "codegen").
set -euo pipefail
shopt -s inherit_errexit 2>/dev/null || true # macOS has a bash that does not know it

die() {
    printf 'codegen.sh: %s\n' "$1" >&2
    exit "${2:-2}"
}

check=false
case "${1-}" in
    '') ;;
    --check) check=true ;;
    *) die "unknown argument '$1'; usage: ./codegen.sh [--check]" ;;
esac

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd -- "$root"

# Nothing of the machine may reach the output: language, hash order, bytecode, ruff's settings.
export LC_ALL=C PYTHONHASHSEED=0 PYTHONUTF8=1 PYTHONDONTWRITEBYTECODE=1 NO_COLOR=1 TYPER_STANDARD_TRACEBACK=1
unset RUFF_CONFIG RUFF_OUTPUT_FILE

pinned() {
    sed -n "s/^codegen = .*\"$1==\([^\"]*\)\".*/\1/p" pyproject.toml
}
generator_version=$(pinned openapi-python-client)
ruff_version=$(pinned ruff)
[[ -n $generator_version && -n $ruff_version ]] ||
    die 'pyproject.toml pins no openapi-python-client and ruff in the dependency group "codegen"'

# ---- the tools: the project's own environment, else the current one, else one made by uv for the occasion
has_tools() {
    "$@" - "$generator_version" "$ruff_version" >/dev/null 2>&1 <<'PYTHON'
import sys
from importlib.metadata import version
assert sys.version_info >= (3, 11)
assert [version("openapi-python-client"), version("ruff")] == sys.argv[1:]
PYTHON
}

python=()
for candidate in "$root/.venv/bin/python" "$root/.venv/Scripts/python.exe" python python3; do
    if has_tools "$candidate"; then
        python=("$candidate")
        break
    fi
done
if ((${#python[@]} == 0)) && command -v uv >/dev/null 2>&1; then
    python=(uv run --quiet --no-project --isolated --python '>=3.11'
        --with "openapi-python-client==$generator_version" --with "ruff==$ruff_version" python)
    has_tools "${python[@]}" || python=()
fi
((${#python[@]})) ||
    die "openapi-python-client $generator_version and ruff $ruff_version are not installed; run: make venv"

# ---- somewhere to work, next to the result so that it can be moved into place
if $check; then
    work=$(mktemp -d)
else
    mkdir -p generated
    work=$(mktemp -d "$root/generated/.codegen.XXXXXX")
fi
trap 'rm -rf -- "$work"' EXIT

ruff() {
    "${python[@]}" -m ruff "$@"
}

# Fix imports and lay out the code in folders. The project's own settings are not read.
tidy() {
    local settings=(--isolated --no-cache --quiet --config 'line-length=100' --config 'target-version="py311"')
    ruff check "${settings[@]}" --fix-only --select F401,I \
        --config 'lint.isort.known-first-party=["manager"]' \
        --config 'lint.isort.known-third-party=["ollama_api"]' "$@"
    ruff format "${settings[@]}" --config 'format.line-ending="lf"' "$@"
}

# ---- generated/ollama_api
client="$work/ollama_api"
if ! "${python[@]}" -m openapi_python_client generate --path spec/ollama.yaml --meta none --fail-on-warning \
    --config spec/codegen.yaml --custom-template-path spec/templates --output-path "$client" >"$work/log" 2>&1; then
    cat "$work/log" >&2
    die 'openapi-python-client failed or warned about spec/ollama.yaml; see above' 1
fi
# A template that has nothing to say leaves a file with this line; see spec/templates/README.md.
{ grep -rl '^# codegen: ' "$client" || true; } | while IFS= read -r file; do rm -- "$file"; done
"${python[@]}" spec/since.py spec/ollama.yaml "$client/since.py"
: >"$client/py.typed"
fresh=("$client")

# ---- the sync shells
shells=()
pairs=()
sync_of() { printf '%s/sync-%s' "$work" "${1//\//-}"; }
for shell in manager manager/transport; do
    if [[ -d $shell/_async ]]; then
        shells+=("$shell")
        pairs+=("$shell/_async" "$(sync_of "$shell")")
    fi
done
if ((${#pairs[@]})); then
    "${python[@]}" spec/unasync.py "${pairs[@]}" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        die 'spec/unasync.py failed; see above' 1
    }
fi
is_by_hand() { # on both sides
    [[ -e $1 && -e ${1/_sync/_async} ]] && ! head -n 1 -- "$1" | grep -q '^# generated from '
}
for shell in ${shells[@]+"${shells[@]}"}; do
    fresh+=("$(sync_of "$shell")")
    for file in "$shell"/_sync/*.py; do
        if is_by_hand "$file"; then cp -- "$file" "$(sync_of "$shell")/"; fi
    done
done
tidy "${fresh[@]}"

# ---- compare, or put into place
listing() {
    if [[ -d $1 ]]; then
        (cd -- "$1" && find . -type f ! -path '*/__pycache__/*' | sed 's|^\./||' | sort)
    fi
}

# Name the files of the committed folder $1 that are not what the fresh folder $2 has.
differences() {
    local file
    # Most often there is nothing to name, and one process can tell.
    diff -rq -x __pycache__ -- "$1" "$2" >/dev/null 2>&1 && return
    while IFS= read -r file; do
        if [[ ! -e $2/$file ]]; then
            printf '%s: not generated from anything\n' "$1/$file"
        elif [[ ! -e $1/$file ]]; then
            printf '%s: missing\n' "$1/$file"
        elif ! cmp -s -- "$1/$file" "$2/$file"; then
            printf '%s: differs\n' "$1/$file"
        fi
    done < <({ listing "$1"; listing "$2"; } | sort -u)
}

# Put the fresh folder $2, where there is one, in the place of the folder $1.
replace() {
    local old
    [[ -d $2 ]] || return 0
    old="$work/old-$(basename -- "$1")"
    [[ ! -e $1 ]] || mv -- "$1" "$old"
    mv -- "$2" "$1" || {
        [[ ! -e $old ]] || mv -- "$old" "$1"
        die "cannot replace $1"
    }
}

if $check; then
    {
        differences generated/ollama_api "$client"
        for shell in manager manager/transport; do
            if [[ -d $shell/_async || -d $shell/_sync ]]; then
                differences "$shell/_sync" "$(sync_of "$shell")"
            fi
        done
    } >"$work/differences"
    if [[ -s $work/differences ]]; then
        cat "$work/differences" >&2
        die 'generated code is not what spec/ and the async shells give; run: ./codegen.sh' 1
    fi
    echo 'codegen.sh: generated code is up to date'
else
    replace generated/ollama_api "$client"
    for shell in ${shells[@]+"${shells[@]}"}; do
        replace "$shell/_sync" "$(sync_of "$shell")"
    done
fi
