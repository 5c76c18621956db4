#!/usr/bin/env bash
# What changed in the public packages since the last release, or since REF, by apidiff (golang.org/x/exp). A change
# that breaks callers fails from v1 on; before that it is printed, and needs its line in CHANGELOG.md.
#   scripts/api.sh [REF]
set -euo pipefail
cd "$(dirname "$0")/.."
version=v0.0.0-20261113113407-e3970619a1a4
base=${1:-$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)}
if [ -z "$base" ]; then
  echo "no release yet, so there is nothing to compare with"
  exit 0
fi
tool=$PWD/bin/apidiff-$version
if [ ! -x "$tool" ]; then
  mkdir -p bin
  GOBIN=$PWD/bin CGO_ENABLED=0 go install "golang.org/x/exp/cmd/apidiff@$version"
  mv bin/apidiff "$tool"
fi
work=$(mktemp -d)
trap 'git worktree remove --force "$work/base"; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/base" "$base"
broken=0
public() { go list ./... | grep -Ev '/(internal|cmd|examples|scripts)(/|$)'; }
for package in $( (cd "$work/base" && public; public) | sort -u); do
  if ! (cd "$work/base" && "$tool" -w "$work/export" "$package") 2>/dev/null; then
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
case $base in
v0.* | v[0-9]*-*) ;;
v*) [ $broken = 0 ] || { echo "api: callers of $base would break" >&2; exit 1; } ;;
esac
echo "compared with $base"
