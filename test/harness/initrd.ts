/** An initial RAM disk for Linux guests: Debian's busybox, and an /init that gives a shell on the console. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { CpioWriter } from "../../scripts/cpio-writer.ts";
import { type ForeignArchitecture, unpackDebianPackage } from "../../scripts/debian-package.ts";

/** What /init prints first: the kernel has come as far as user space. */
export const INIT_GREETING = "init: hello from user space";

const APPLETS = [
  "sh",
  "mount",
  "cat",
  "echo",
  "ls",
  "true",
  "poweroff",
  "reboot",
  "uname",
  "sleep",
  "sha256sum",
  "date",
];

const INIT = `#!/bin/sh
echo "${INIT_GREETING}"
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
exec setsid cttyhack sh
`;

/** Writes the RAM disk into a directory. @returns its path */
export function buildInitrd(directory: string, init = INIT, architecture?: ForeignArchitecture): string {
  const busybox = join(unpackDebianPackage("busybox-static", architecture), "bin/busybox");
  const cpio = new CpioWriter();
  for (const path of ["bin", "dev", "proc", "sys", "tmp"]) cpio.directory(path);
  cpio.file("bin/busybox", readFileSync(busybox), 0o755);
  for (const applet of [...APPLETS, "setsid", "cttyhack"]) cpio.symlink(`bin/${applet}`, "busybox");
  cpio.file("init", init, 0o755);
  const path = join(directory, "initrd.gz");
  writeFileSync(path, gzipSync(cpio.finish(), { level: 1 }));
  return path;
}
