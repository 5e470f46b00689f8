#!/bin/sh
# Builds the kernel: sh build.sh OUTPUT. Multiboot loaders want a 32-bit ELF file, so the 64-bit code is put into one.
set -eu
output=$1
source=$(dirname "$0")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
flags="-O2 -std=gnu11 -Wall -Wextra -Werror -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone"
flags="$flags -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables"
objects=""
for file in "$source"/*.S "$source"/*.c; do
  object="$scratch/$(basename "$file").o"
  ${CC:-gcc} $flags -c -o "$object" "$file"
  objects="$objects $object"
done
ld -m elf_x86_64 -nostdlib -static -z max-page-size=4096 --build-id=none -T "$source/linker.ld" -o "$scratch/kernel64" $objects
objcopy -I elf64-x86-64 -O elf32-i386 "$scratch/kernel64" "$output"
