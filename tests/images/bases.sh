#!/usr/bin/env bash
# Makes stand-ins for the base images of the Dockerfiles and of docker-compose.yml from Debian's packages, where no image
# registry can be reached: the same programs in the same versions, but for Python (3.11 for 3.12).
# Usage: tests/images/bases.sh    as root; BUILD_OPTIONS are more options of podman build, MIRROR is Debian's.
set -euo pipefail
cd "$(dirname "$0")/bases"
mirror=${MIRROR:-http://deb.debian.org/debian}
for tool in podman runc debootstrap; do
    command -v "$tool" > /dev/null ||
        { echo "$tool is missing: apt-get install podman runc aardvark-dns debootstrap qemu-user-static" >&2; exit 69; }
done
read -ra options <<< "${BUILD_OPTIONS:-}"

debian() {  # NAME: the release as it is installed first
    podman image exists "localhost/debian:$1" && return
    local folder script=/usr/share/debootstrap/scripts/$1
    folder=$(mktemp -d)
    # An older debootstrap has no script of its own for a newer release; sid's does.
    [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
    debootstrap --variant=minbase --include=ca-certificates "$1" "$folder" "$mirror" "$script"
    rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/*
    tar -C "$folder" -c . | podman import --change 'CMD ["/bin/sh"]' - "localhost/debian:$1"
    rm -rf "$folder"
}

stand_in() {  # DOCKERFILE IMAGE
    podman build --pull=never "${options[@]}" -t "localhost/$2" -f "$1.Dockerfile" .
}

debian bookworm
debian forky
stand_in python python:3.11-bookworm
stand_in node node:24
stand_in nginx nginx:1.30
stand_in postgres postgres:18-bookworm
