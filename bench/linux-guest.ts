/**
 * Debian's cloud kernel with a RAM disk of ours, and what boots it: QEMU's system mode without KVM, and each engine of
 * osv-vm. What a guest is to do stands in its /init.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { CpioWriter } from "../scripts/cpio-writer.ts";
import { debianKernel, unpackDebianPackage } from "../scripts/debian-package.ts";
import { BENCH_CACHE } from "./cache.ts";
import type { Command } from "./measurement.ts";
import { OSV_VM } from "./runners.ts";

/** What /init prints before anything else. */
export const GREETING = "init: hello from user space";

const APPLETS = ["sh", "mount", "sleep", "poweroff", "echo", "rm", "cp"];
const MEMORY = "512M";
const COMMAND_LINE = "console=ttyS0 quiet cryptomgr.notests";

/** What a guest does once it is up. */
export interface Guest {
  readonly name: string;
  /** Lines of a shell script; then the guest switches itself off. */
  readonly script: readonly string[];
  /** Files of the host, for its /bin. */
  readonly programs?: readonly string[];
}

export interface BootRunner {
  /** As it heads a column. */
  readonly name: string;
  readonly isOsvVm: boolean;
  command(guest: Guest): Command;
}

/** Writes the RAM disk, unless it is there as it would be. @returns its path */
function buildInitrd({ name, script, programs = [] }: Guest): string {
  const cpio = new CpioWriter();
  for (const path of ["bin", "dev", "proc", "sys", "tmp"]) cpio.directory(path);
  const busybox = join(unpackDebianPackage("busybox-static"), "bin/busybox");
  cpio.file("bin/busybox", readFileSync(busybox), 0o755);
  for (const applet of APPLETS) cpio.symlink(`bin/${applet}`, "busybox");
  for (const program of programs) cpio.file(`bin/${basename(program)}`, readFileSync(program), 0o755);
  const lines = ["#!/bin/sh", `echo "${GREETING}"`, "mount -t proc proc /proc", ...script, "poweroff -f", ""];
  cpio.file("init", lines.join("\n"), 0o755);
  const content = gzipSync(cpio.finish(), { level: 1 });
  const folder = join(BENCH_CACHE, "boot");
  const path = join(folder, `${name}.gz`);
  if (existsSync(path) && readFileSync(path).equals(content)) return path;
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, content);
  return path;
}

function commonParameters(guest: Guest, prefix: string): string[] {
  const kernel = debianKernel("linux-image-cloud-amd64");
  return [
    ...[`${prefix}kernel`, kernel],
    ...[`${prefix}initrd`, buildInitrd(guest)],
    ...[`${prefix}append`, COMMAND_LINE],
  ];
}

const QEMU = "qemu-system-x86_64";
const QEMU_MACHINE = `-accel tcg -cpu max -m ${MEMORY} -display none -monitor none -serial stdio -no-reboot`;

const qemu: BootRunner = {
  name: "qemu",
  isOsvVm: false,
  command: (guest) => ({ words: [QEMU, ...QEMU_MACHINE.split(" "), ...commonParameters(guest, "-")] }),
};

function osvVmRunner(engine: string): BootRunner {
  return {
    name: engine,
    isOsvVm: true,
    command: (guest) => ({
      words: [
        ...OSV_VM,
        "boot",
        ...["--engine", engine, "--stats", "--no-reboot", "--memory", MEMORY],
        ...commonParameters(guest, "--"),
      ],
    }),
  };
}

/**
 * The runners in the order of their turns.
 * @param wanted names to keep
 */
export function findBootRunners(wanted: readonly string[]): BootRunner[] {
  const hasQemu = spawnSync(QEMU, ["--version"]).status === 0;
  if (!hasQemu)
    console.log(`no QEMU column: ${QEMU} is not installed (Debian: apt-get install qemu-system-x86)`);
  const all = [...(hasQemu ? [qemu] : []), osvVmRunner("jit"), osvVmRunner("interp")];
  return all.filter(({ name }) => wanted.includes(name));
}
