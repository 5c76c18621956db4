#!/usr/bin/env bash
# What changed in the public packages since the last release, or since REF, by apidiff (golang.org/x/exp), module by
# module: each has tags of its own (v0.3.0, remote/v0.3.0). A change that breaks callers fails from v1 on; before that
# it is printed, and needs its line in CHANGELOG.md.
#   scripts/api.sh [REF]
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
version=v0.0.0-20261113113407-e3970619a1a4
tool=$PWD/bin/apidiff-$version
work=$(mktemp -d)
trap 'git worktree remove --force "$work/base" 2>/dev/null || true; rm -rf "$work"' EXIT

public() { go list ./... | grep -Ev '/(internal|cmd|examples|scripts|benchmarks)(/|$)'; }

# compare prints what changed in the module in $1 since $2; its status says whether callers would break.
compare() {
  local module=$1 base=$2 broken=0 package changes
  git worktree add --quiet --detach "$work/base" "$base" || exit 1 # set -e is off within a condition
  cd "$root/$module"
  for package in $( (
    (cd "$work/base/$module" 2>/dev/null && public) || true
    public
  ) | sort -u); do
    if ! (cd "$work/base/$module" && "$tool" -w "$work/export" "$package") 2>/dev/null; then
      echo "$package: new"
      continue
    fi
    if ! changes=$("$tool" "$work/export" "$package" 2>&1); then
      changes="Incompatible changes:
- package removed"
    fi
    [ -z "$changes" ] || printf '%s:\n%s\n' "$package" "$changes"
    ! grep -q '^Incompatible' <<<"$changes" || broken=1
  done
  cd "$root"
  git worktree remove --force "$work/base"
  echo "$module: compared with $base"
  return $broken
}

for module in . remote telemetry/prometheus telemetry/otel; do
  prefix=${module#.}
  base=${1:-$(git describe --tags --abbrev=0 --match "${prefix:+$prefix/}v[0-9]*" 2>/dev/null || true)}
  if [ -z "$base" ]; then
    echo "$module: no release yet, so there is nothing to compare with"
    continue
  fi
  if [ ! -x "$tool" ]; then
    mkdir -p bin
    GOBIN=$PWD/bin CGO_ENABLED=0 go install "golang.org/x/exp/cmd/apidiff@$version"
    mv bin/apidiff "$tool"
  fi
  if ! compare "$module" "$base"; then
    case ${base##*/} in
    v0.* | v[0-9]*-*) ;;
    v*) echo "api: callers of $base would break" >&2 && exit 1 ;;
    esac
  fi
done
