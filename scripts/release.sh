#!/usr/bin/env bash
# Makes a release without publishing it, and tries what is in it: checksums, the archive, the deb and rpm packages,
# manual pages, completions, the bill of materials. Installs GoReleaser and cyclonedx-gomod into bin/, which takes
# some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! git rev-parse HEAD >/dev/null 2>&1; then
  echo "no git repository here, of which a release could be made: not tried"
  exit 0
fi
bin=$PWD/bin
install() { # NAME MODULE VERSION
  if [ ! -x "$bin/$1-$3" ]; then
    mkdir -p "$bin"
    GOBIN=$bin CGO_ENABLED=0 go install "$2@$3"
    mv "$bin/$1" "$bin/$1-$3"
  fi
}
install goreleaser github.com/goreleaser/goreleaser/v2 v2.15.1
install cyclonedx-gomod github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod v1.10.0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tools"
ln -s "$bin/cyclonedx-gomod-v1.10.0" "$work/tools/cyclonedx-gomod"
PATH=$work/tools:$PATH "$bin/goreleaser-v2.15.1" release --snapshot --clean
(cd dist && sha256sum --check --quiet checksums.txt)
echo "$(wc -l <dist/checksums.txt) checksums are right"

case $(uname -m) in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) echo "nothing of it runs on $(uname -m)" && exit 0 ;;
esac
try() { # WHAT PROGRAM: it runs, and knows its version
  "$2" version | tee "$work/version"
  grep -q "^${2##*/} v.* (commit " "$work/version" || { echo "$1: no version" >&2 && exit 1; }
}
mkdir "$work/archive" "$work/deb" "$work/rpm"
tar -xzf dist/amorsize_*_"linux_$arch".tar.gz -C "$work/archive"
try archive "$work/archive/amorsize"
[ "$(printf '1\n2\n3\n' | "$work/archive/amorsize" run -- echo {} 2>/dev/null | sort | tr -d '\n')" = 123 ]

if command -v dpkg-deb >/dev/null; then
  for package in dist/*_"linux_$arch".deb; do dpkg-deb -x "$package" "$work/deb"; done
  try deb "$work/deb/usr/bin/amorsize"
  "$work/deb/usr/bin/amorsize-remote" --help >/dev/null
  gunzip -t "$work"/deb/usr/share/man/man1/amorsize-run.1.gz
  bash -c 'source "$1" && declare -F __start_amorsize >/dev/null' - "$work/deb/usr/share/bash-completion/completions/amorsize"
fi
if ! command -v rpm2cpio >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  { apt-get update -qq && apt-get install -y -qq rpm2cpio cpio; } >/dev/null 2>&1 || true # told below
fi
if command -v rpm2cpio >/dev/null && command -v cpio >/dev/null; then
  for package in dist/*_"linux_$arch".rpm; do
    rpm2cpio "$package" >"$work/cpio" || true # Debian's says 1 of a package that is right: what is in it is tried below
    (cd "$work/rpm" && cpio -idm --quiet --no-absolute-filenames <"$work/cpio" 2>/dev/null)
  done
  try rpm "$work/rpm/usr/bin/amorsize"
else
  echo "nothing here unpacks rpm: not tried"
fi
for bill in dist/*.cdx.json; do grep -q '"purl": "pkg:golang/' "$bill" || { echo "$bill names no module" >&2 && exit 1; }; done
echo "$(find dist -name '*.cdx.json' | wc -l) bills of materials"
