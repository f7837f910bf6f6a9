#!/bin/sh
# Installs a release of Deptool, upgrades it, or removes it. Nothing is written before the files have the right SHA-256, and, if you name whose
# signature they must have, the right signature.
#
#   install.sh --from URL|DIR [--version VERSION] [--prefix DIR] [--signers FILE]
#   install.sh --remove [--prefix DIR]
#
#   --from URL|DIR     where the tarball and SHA256SUMS are
#   --version VERSION  if SHA256SUMS lists several versions
#   --prefix DIR       /usr/local if omitted
#   --signers FILE     the keys that may sign releases (ALLOWED SIGNERS in ssh-keygen(1)), for the name `deptool`; needs ssh-keygen
#   --remove           remove what an earlier installation put below the prefix
#
# It needs sh, tar, gzip and sha256sum, as coreutils or busybox have them, and curl or wget for a URL.
set -eu
umask 022
LC_ALL=C
export LC_ALL

die() { echo "install.sh: $*" >&2; exit 1; }
usage() { sed -n '2,/^set /{s/^# \{0,1\}//p;}' "$0"; }

from="" version="" prefix=/usr/local signers="" remove=false
while [ $# -gt 0 ]; do
    case $1 in
    --from | --version | --prefix | --signers)
        [ -n "${2-}" ] || die "$1 needs a value"
        case $1 in
        --from) from=$2 ;;
        --version) version=$2 ;;
        --prefix) prefix=$2 ;;
        --signers) signers=$2 ;;
        esac
        shift
        ;;
    --remove) remove=true ;;
    -h | --help) usage; exit ;;
    *) die "unknown option '$1'; --help shows the options" ;;
    esac
    shift
done
case $prefix in /*) ;; *) die "--prefix must be an absolute path" ;; esac
prefix=${prefix%/}

# The list of installed files: files below the prefix, and directories, with a slash behind them, that were not there before.
list=$prefix/share/doc/deptool/files

# Prints a list, which may name only files of a release.
listed() { # FILE
    [ -f "$1" ] || return 0
    while IFS= read -r path; do
        case /$path in
        */../*) die "$1 lists '$path', which no release has" ;;
        /bin/deptool | /bin/ | /share/* | /./) printf '%s\n' "$path" ;;
        *) die "$1 lists '$path', which no release has" ;;
        esac
    done < "$1"
}

# Removes the paths on standard input: files, then directories that are empty now, the inner ones first.
remove_listed() {
    sort -r | while IFS= read -r path; do
        case $path in
        "") ;;
        ./) rmdir "$prefix" 2> /dev/null || true ;;
        */) rmdir "$prefix/$path" 2> /dev/null || true ;;
        *) rm -f "$prefix/$path" ;;
        esac
    done
}

# Makes a directory below the prefix, and notes which were not there.
make_directory() { # PATH
    [ ! -d "$prefix/$1" ] || return 0
    [ "$1" = . ] || make_directory "$(dirname "$1")"
    mkdir -p "$prefix/$1"
    echo "$1/" >> "$work/files"
}

if $remove; then
    [ -f "$list" ] || die "nothing was installed below ${prefix:-/} by this script: there is no $list"
    files=$(listed "$list")
    printf '%s\n' "$files" share/doc/deptool/files | remove_listed
    echo "Deptool is removed."
    exit
fi

[ -n "$from" ] || die "--from is missing; --help shows the options"
[ "$(uname -s)" = Linux ] || die "releases are for Linux; build Deptool from the source"
cpu=$(uname -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

get() { # FILE
    case $from in
    *://*)
        if command -v curl > /dev/null; then curl -fsSL -o "$work/$1" "${from%/}/$1"; else wget -q -O "$work/$1" "${from%/}/$1"; fi
        ;;
    *) cp "$from/$1" "$work/$1" ;;
    esac || die "cannot get $1 from $from"
}

get SHA256SUMS
if [ -n "$signers" ]; then
    get SHA256SUMS.sig
    ssh-keygen -q -Y verify -f "$signers" -I deptool -n deptool-release -s "$work/SHA256SUMS.sig" < "$work/SHA256SUMS" > /dev/null ||
        die "SHA256SUMS is not signed by a key in $signers. Nothing was changed."
fi
tarball=$(sed -n "s/^[0-9a-f]\{64\}  \(deptool-${version:-[0-9.]*}-linux-$cpu\.tar\.gz\)\$/\1/p" "$work/SHA256SUMS")
case $tarball in
"") die "SHA256SUMS lists no release ${version:+$version }for Linux on $cpu" ;;
*deptool*deptool*) die "SHA256SUMS lists several versions; choose one with --version" ;;
esac
get "$tarball"
(cd "$work" && grep "  $tarball\$" SHA256SUMS | sha256sum -c > /dev/null 2>&1) ||
    die "$tarball does not have the SHA-256 in SHA256SUMS. Nothing was changed."

# The program must run here before it replaces one that does.
tree=$work/${tarball%.tar.gz}
gzip -dc "$work/$tarball" | tar -x -f - -C "$work"
new=$("$tree/bin/deptool" --version | sed -n 1p)
[ -n "$new" ] || die "the program does not run in $work. It needs glibc 2.35 or later; TMPDIR names another directory. Nothing was changed."

old=$(listed "$list")
(cd "$tree" && find . -type f) | sed 's,^\./,,' > "$work/new"
cp "$work/new" "$work/files"
printf '%s\n' "$old" | grep '/$' >> "$work/files" || true

# All files are there before the first takes its place, so a full disk changes nothing.
clean() {
    while IFS= read -r path; do rm -f "$prefix/$path.new"; done < "$work/new"
    rm -rf "$work"
}
trap clean EXIT
while IFS= read -r path; do
    make_directory "$(dirname "$path")"
    cp "$tree/$path" "$prefix/$path.new"
done < "$work/new"
while IFS= read -r path; do mv -f "$prefix/$path.new" "$prefix/$path"; done < "$work/new"
# Files of the earlier version only; directories go if they are empty now.
printf '%s\n' "$old" | while IFS= read -r path; do grep -qxF -e "$path" "$work/new" || printf '%s\n' "$path"; done | remove_listed
sort -u "$work/files" > "$list.new"
mv -f "$list.new" "$list"
echo "Deptool $new is installed: $prefix/bin/deptool"
