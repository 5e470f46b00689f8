/**
 * Disks with a whole Debian on them, made with Debian's own tools as a person would make them: debootstrap, then its
 * kernel and initramfs, and one of two boot loaders, installed by its own installer. The tree and the disks are kept in
 * .cache/disks/.
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CACHE } from "../../scripts/repository.ts";
import { cachedDisk, recipeOf, recipeOfData } from "./cached-disk.ts";
import { type Missing, missingTool } from "./requirements.ts";

export const HOST_NAME = "osv-guest";
/** What both loaders' menus show. */
export const DEBIAN_ENTRY = /Debian GNU\/Linux/;

const MIRROR = "http://deb.debian.org/debian";
const PACKAGES = [
  ...["systemd-sysv", "udev", "kmod", "linux-image-cloud-amd64", "initramfs-tools"],
  ...["extlinux", "syslinux-common", "grub-pc-bin", "grub2-common"],
];
const DISK_MIB = 1200;
/** In sectors: behind what GRUB puts in front. */
const PARTITION_START = 2048;
/** The one file system. */
const LABEL = "debian-root";
const KERNEL_OPTIONS = `root=LABEL=${LABEL} ro console=ttyS0`;

const CONFIGURATION: Readonly<Record<string, string>> = {
  "etc/hostname": `${HOST_NAME}\n`,
  "etc/hosts": `127.0.0.1 localhost ${HOST_NAME}\n`,
  "etc/fstab": `LABEL=${LABEL} / ext4 errors=remount-ro 0 1\n`,
  "boot/extlinux/extlinux.conf": `SERIAL 0 115200
UI menu.c32
TIMEOUT 20
MENU TITLE Boot menu
LABEL debian
  MENU LABEL Debian GNU/Linux
  LINUX /vmlinuz
  INITRD /initrd.img
  APPEND ${KERNEL_OPTIONS}
`,
};

/** GRUB asks udev for the name of the root file system, which knows nothing of it while it hangs at a loop device. */
const GRUB_DEFAULTS = `GRUB_DISTRIBUTOR=Debian
GRUB_TIMEOUT=2
GRUB_TERMINAL=serial
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
GRUB_CMDLINE_LINUX="root=LABEL=${LABEL} console=ttyS0"
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_DISABLE_OS_PROBER=true
`;

/** Why such disks cannot be made here; see also missingLoopMounts(). */
export function missingDebootstrap(): Missing {
  return missingTool("debootstrap") ?? missingTool("sfdisk", "fdisk");
}

function run(command: string, ...parameters: string[]): string {
  return execFileSync(command, parameters, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      DEBIAN_FRONTEND: "noninteractive",
      LC_ALL: "C",
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
    },
  });
}

const diskRecipe = (): string => recipeOf("test/harness/debian-disk.ts");
/** It takes minutes: nothing but what it is made of has it made again. */
const treeRecipe = (): string => recipeOfData([release(), PACKAGES, CONFIGURATION]);

/** The release that this machine has, whose packages .cache/debian/ holds. */
function release(): string {
  const name = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  if (name === undefined) throw new Error("/etc/os-release names no release");
  return name;
}

/** The tree of the root file system. */
function debianTree(): string {
  const tree = join(CACHE, "disks", `debian-${treeRecipe()}`);
  if (existsSync(tree)) return tree;
  const packages = join(CACHE, "debian/archives");
  const part = `${tree}.${process.pid}`;
  mkdirSync(packages, { recursive: true });
  mkdirSync(dirname(tree), { recursive: true });
  try {
    run(
      "debootstrap",
      ...["--variant=minbase", `--include=${PACKAGES.join()}`, `--cache-dir=${packages}`],
      ...[release(), part, MIRROR],
    );
    for (const [path, text] of Object.entries(CONFIGURATION)) {
      mkdirSync(dirname(join(part, path)), { recursive: true });
      writeFileSync(join(part, path), text);
    }
    run("chroot", part, "passwd", "--delete", "root");
    run("chroot", part, "apt-get", "clean");
    renameSync(part, tree);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  return tree;
}

/** A disk with one partition, active, that holds the tree. */
function writeDisk(path: string): void {
  run("truncate", "--size", `${DISK_MIB}M`, path);
  execFileSync("sfdisk", ["--quiet", path], {
    input: `label: dos\nstart=${PARTITION_START}, type=83, bootable\n`,
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  });
}

/** Calls back with the loop device of a disk, and that of its partition mounted. */
function withMounted(
  path: string,
  work: (device: string, mountPoint: string) => void,
  scratch: string,
): void {
  const device = run("losetup", "--find", "--show", path).trim();
  const partition = `${device}p1`;
  const mountPoint = join(scratch, "mnt");
  mkdirSync(mountPoint);
  try {
    run("partx", "--add", device); // also where the kernel knows no partition tables
    // SYSLINUX 6.04 knows ext4 without these two features; it reads no files with holes, and mke2fs -d makes some.
    run("mke2fs", "-q", "-t", "ext4", "-L", LABEL, "-O", "^64bit,^metadata_csum", partition);
    run("mount", partition, mountPoint);
    try {
      run("cp", "-a", "--sparse=never", `${debianTree()}/.`, mountPoint);
      work(device, mountPoint);
    } finally {
      run("umount", "--recursive", mountPoint);
    }
  } finally {
    run("partx", "--delete", device);
    run("losetup", "--detach", device);
  }
}

/** Debian with extlinux: its own boot sector in the MBR, the rest installed into the mounted file system. */
export function debianExtlinuxDisk(): string {
  return cachedDisk(`debian-extlinux-${diskRecipe()}.img`, (path, scratch) => {
    writeDisk(path);
    withMounted(
      path,
      (device, root) => {
        const folder = join(root, "boot/extlinux");
        const modules = join(root, "usr/lib/syslinux/modules/bios");
        for (const name of ["menu.c32", "libutil.c32", "ldlinux.c32"])
          run("cp", "--sparse=never", join(modules, name), folder);
        run("extlinux", "--install", folder);
        run("dd", `if=${join(root, "usr/lib/syslinux/mbr/mbr.bin")}`, `of=${device}`, "bs=440", "count=1");
      },
      scratch,
    );
  });
}

/** Debian with GRUB (BIOS), installed and configured by `grub-install` and `update-grub` in the system itself. */
export function debianGrubDisk(): string {
  return cachedDisk(`debian-grub-${diskRecipe()}.img`, (path, scratch) => {
    writeDisk(path);
    withMounted(
      path,
      (device, root) => {
        for (const folder of ["dev", "proc", "sys"]) run("mount", "--bind", `/${folder}`, join(root, folder));
        writeFileSync(join(root, "etc/default/grub"), GRUB_DEFAULTS);
        run("chroot", root, "grub-install", "--target=i386-pc", device);
        run("chroot", root, "update-grub");
      },
      scratch,
    );
  });
}
