/**
 * Bootable disks for the tests, made of Debian's packages in .cache/disks/: a small Linux (its kernel, busybox) on an ext4
 * partition, with one of two boot loaders; and a CD. Everything in them is a file of a package or written here.
 */

import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { CpioWriter } from "../../scripts/cpio-writer.ts";
import { debianKernel, unpackDebianPackage } from "../../scripts/debian-package.ts";
import { cachedDisk, recipeOf } from "./cached-disk.ts";
import { buildInitrd } from "./initrd.ts";
import { type Missing, missingTool } from "./requirements.ts";

/** What /sbin/init of the disk prints first: the kernel has mounted its root. */
export const DISK_GREETING = "init: hello from the disk, on";
/** What the loaders' menus show. */
export const MENU_ENTRY = "Linux from the disk";
export const KERNEL_OPTIONS = "console=ttyS0 quiet cryptomgr.notests";

const SECTOR = 512;
const MIB = 2 ** 20;
const PARTITION_MIB = 63;
/** Where the partition begins: behind what GRUB's core image needs. */
const PARTITION_START = MIB;
const MENU_SECONDS = 2;

/** Drivers of the disk, in the order of their dependencies. */
const MODULES = [
  "virtio/virtio_ring",
  "virtio/virtio",
  "virtio/virtio_pci_modern_dev",
  "virtio/virtio_pci_legacy_dev",
  "virtio/virtio_pci",
  "block/virtio_blk",
];

const INITRD_INIT = `#!/bin/sh
mount -t devtmpfs dev /dev
for module in ${MODULES.map((path) => path.slice(path.indexOf("/") + 1)).join(" ")}; do insmod /lib/$module.ko; done
while [ ! -b /dev/vda1 ]; do sleep 0.1; done
mount -t ext4 /dev/vda1 /mnt
exec switch_root /mnt /sbin/init
`;
const DISK_INIT = `#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
echo "${DISK_GREETING} $(grep ' / ' /proc/mounts)"
exec setsid cttyhack sh
`;
const INITRD_APPLETS = ["sh", "mount", "insmod", "switch_root", "sleep"];
const DISK_APPLETS = [
  "sh",
  "mount",
  "cat",
  "echo",
  "ls",
  "grep",
  "poweroff",
  "sha256sum",
  "sync",
  "setsid",
  "cttyhack",
];

const GRUB_CONFIGURATION = `serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set timeout=${MENU_SECONDS}
menuentry "${MENU_ENTRY}" {
  linux /boot/vmlinuz ${KERNEL_OPTIONS}
  initrd /boot/initrd.gz
}
menuentry "Nothing else" {
  halt
}
`;
const GRUB_MODULES = ["biosdisk", "part_msdos", "ext2", "linux", "normal", "serial", "terminal", "halt"];

/** "SERIAL 0 115200": menus of SYSLINUX's family go to the port beside the screen. */
const syslinuxConfiguration = (folder: string) => `SERIAL 0 115200
UI menu.c32
TIMEOUT ${MENU_SECONDS * 10}
MENU TITLE Boot menu
LABEL linux
  MENU LABEL ${MENU_ENTRY}
  LINUX ${folder}/vmlinuz
  INITRD ${folder}/initrd.gz
  APPEND ${KERNEL_OPTIONS}
`;

/** Why disks cannot be made here. */
export function missingDiskTools(): Missing {
  return missingTool("mke2fs", "e2fsprogs");
}

/** extlinux writes into a mounted file system only. */
export function missingLoopMounts(): Missing {
  const missing = missingTool("extlinux") ?? missingTool("losetup", "mount");
  if (missing !== undefined) return missing;
  const found = spawnSync("losetup", ["--find"], { encoding: "utf8" });
  return process.getuid?.() === 0 && found.status === 0
    ? undefined
    : "loop devices cannot be used (as root, on a machine that has them)";
}

/** The file of a disk that is made by this file. */
function cached(name: string, build: (path: string, scratch: string) => void): string {
  const recipe = recipeOf("test/harness/disk-image.ts", "test/harness/initrd.ts");
  return cachedDisk(`${name}-${recipe}`, build);
}

const kernel = (): string => debianKernel("linux-image-cloud-amd64");
const busybox = (): string => join(unpackDebianPackage("busybox-static"), "bin/busybox");

function writeInitrd(path: string): void {
  const image = kernel();
  const release = image.slice(image.lastIndexOf("vmlinuz-") + "vmlinuz-".length);
  const drivers = join(dirname(image), "../lib/modules", release, "kernel/drivers");
  const cpio = new CpioWriter();
  for (const folder of ["bin", "dev", "lib", "mnt"]) cpio.directory(folder);
  cpio.file("bin/busybox", readFileSync(busybox()), 0o755);
  for (const applet of INITRD_APPLETS) cpio.symlink(`bin/${applet}`, "busybox");
  for (const module of MODULES)
    cpio.file(`lib/${module.slice(module.indexOf("/") + 1)}.ko`, readFileSync(join(drivers, `${module}.ko`)));
  cpio.file("init", INITRD_INIT, 0o755);
  writeFileSync(path, gzipSync(cpio.finish(), { level: 1 }));
}

/** The tree of the root file system. */
function writeRoot(root: string): void {
  for (const folder of ["bin", "sbin", "dev", "proc", "sys", "tmp", "boot/grub", "boot/extlinux"])
    mkdirSync(join(root, folder), { recursive: true });
  cpSync(busybox(), join(root, "bin/busybox"));
  for (const applet of DISK_APPLETS) symlinkSync("busybox", join(root, "bin", applet));
  writeFileSync(join(root, "sbin/init"), DISK_INIT, { mode: 0o755 });
  cpSync(kernel(), join(root, "boot/vmlinuz"));
  writeInitrd(join(root, "boot/initrd.gz"));
  writeFileSync(join(root, "boot/grub/grub.cfg"), GRUB_CONFIGURATION);
  writeFileSync(join(root, "boot/extlinux/extlinux.conf"), syslinuxConfiguration("/boot"));
  copySyslinuxModules(join(root, "boot/extlinux"));
}

function copySyslinuxModules(target: string): void {
  const modules = join(unpackDebianPackage("syslinux-common"), "usr/lib/syslinux/modules/bios");
  for (const name of ["menu.c32", "libutil.c32", "ldlinux.c32"])
    cpSync(join(modules, name), join(target, name));
}

/** A disk with one partition, active, that holds the root; no loader yet. */
function writeDisk(path: string, scratch: string): void {
  const root = join(scratch, "root");
  writeRoot(root);
  const partition = join(scratch, "partition");
  // SYSLINUX 6.04 knows ext4 without these two features.
  const features = ["-O", "^64bit,^metadata_csum", "-E", "root_owner=0:0"];
  execFileSync("mke2fs", ["-q", "-t", "ext4", ...features, "-d", root, partition, `${PARTITION_MIB}M`], {
    stdio: "pipe",
  });
  writeFileSync(path, "");
  truncateSync(path, PARTITION_START + PARTITION_MIB * MIB);
  patch(path, PARTITION_START, readFileSync(partition));
  const table = Buffer.alloc(66);
  // Status, first sector (CHS), type, last sector (CHS), first sector and number of sectors.
  table.set([0x80, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff]);
  table.writeUInt32LE(PARTITION_START / SECTOR, 8);
  table.writeUInt32LE((PARTITION_MIB * MIB) / SECTOR, 12);
  table.set([0x55, 0xaa], 64);
  patch(path, 0x1be, table);
}

function patch(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, "r+");
  try {
    writeSync(file, bytes, 0, bytes.length, offset);
  } finally {
    closeSync(file);
  }
}

/**
 * A disk that GRUB boots: boot.img in the first sector, the core image behind it, as `grub-bios-setup` leaves them.
 * The fields are those of grub-core/boot/i386/pc/boot.S and diskboot.S.
 */
export function grubDisk(): string {
  return cached("grub.img", (path, scratch) => {
    writeDisk(path, scratch);
    const folder = join(unpackDebianPackage("grub-pc-bin"), "usr/lib/grub/i386-pc");
    const coreFile = join(scratch, "core.img");
    execFileSync(
      "grub-mkimage",
      ["-O", "i386-pc", "-d", folder, "-p", "(hd0,msdos1)/boot/grub", "-o", coreFile, ...GRUB_MODULES],
      { stdio: "pipe" },
    );
    const KERNEL_SECTOR = 0x5c;
    const BLOCK_LIST = 0x1f4;
    const boot = readFileSync(join(folder, "boot.img"));
    boot.writeBigUInt64LE(1n, KERNEL_SECTOR);
    patch(path, 0, boot.subarray(0, 0x1b8));
    const core = readFileSync(coreFile);
    core.writeBigUInt64LE(2n, BLOCK_LIST);
    core.writeUInt16LE(Math.ceil(core.length / SECTOR) - 1, BLOCK_LIST + 8);
    patch(path, SECTOR, core);
  });
}

export function missingGrub(): Missing {
  return missingTool("grub-mkimage", "grub-common");
}

/** A disk that extlinux boots: SYSLINUX's own boot sector in the MBR, extlinux in the partition. */
export function extlinuxDisk(): string {
  return cached("extlinux.img", (path, scratch) => {
    writeDisk(path, scratch);
    const mbr = join(unpackDebianPackage("syslinux-common"), "usr/lib/syslinux/mbr/mbr.bin");
    patch(path, 0, readFileSync(mbr));
    const mountPoint = join(scratch, "mnt");
    mkdirSync(mountPoint);
    execFileSync("mount", ["-o", `loop,offset=${PARTITION_START}`, path, mountPoint], { stdio: "pipe" });
    try {
      // mke2fs leaves holes where a file has zeros; SYSLINUX reads no file with holes.
      for (const name of ["vmlinuz", "initrd.gz"]) {
        const file = join(mountPoint, "boot", name);
        execFileSync("cp", ["--sparse=never", file, `${file}.whole`]);
        renameSync(`${file}.whole`, file);
      }
      execFileSync("extlinux", ["--install", join(mountPoint, "boot/extlinux")], { stdio: "pipe" });
    } finally {
      execFileSync("umount", [mountPoint]);
    }
  });
}

/** A CD that isolinux boots (El Torito, no emulation); its Linux stays in its initial RAM disk. */
export function isolinuxCd(): string {
  return cached("isolinux.iso", (path, scratch) => {
    const root = join(scratch, "cd");
    const folder = join(root, "isolinux");
    mkdirSync(folder, { recursive: true });
    cpSync(
      join(unpackDebianPackage("isolinux"), "usr/lib/ISOLINUX/isolinux.bin"),
      join(folder, "isolinux.bin"),
    );
    copySyslinuxModules(folder);
    cpSync(kernel(), join(folder, "vmlinuz"));
    renameSync(buildInitrd(scratch), join(folder, "initrd.gz"));
    writeFileSync(join(folder, "isolinux.cfg"), syslinuxConfiguration("/isolinux"));
    const boot = ["-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot"];
    const load = ["-boot-load-size", "4", "-boot-info-table"];
    execFileSync("xorriso", ["-as", "mkisofs", "-quiet", "-o", path, ...boot, ...load, root], {
      stdio: "pipe",
    });
  });
}

export function missingCdTools(): Missing {
  return missingTool("xorriso");
}

/** SeaBIOS, as Debian has it for QEMU. */
export function seabios(): string {
  return join(unpackDebianPackage("seabios"), "usr/share/seabios/bios-256k.bin");
}
