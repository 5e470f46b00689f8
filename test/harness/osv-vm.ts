/**
 * `node osv-vm run …` and, for comparison, the same program on this host.
 *
 * To prove the tests themselves, OSV_VM_COMMAND=native or OSV_VM_COMMAND=qemu puts the host's own kernel, with or
 * without QEMU user mode, in the place of osv-vm.
 *
 * OSV_VM_OPTIONS holds more options for osv-vm, such as "--engine check=interp,jit": `npm run test:exhaustive` runs
 * the tests with two engines in lockstep so.
 */

import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../../scripts/repository.ts";
import { type Outcome, type ProcessOptions, runProcess } from "./process.ts";

export interface GuestOptions extends Pick<ProcessOptions, "input" | "timeout"> {
  /** The directory that is the program's root. */
  root: string;
  /** In the guest; default "/". */
  cwd?: string;
  env?: Record<string, string>;
  /** More options for `osv-vm run`. */
  options?: readonly string[];
}

const ENVIRONMENT = { PATH: "/bin:/usr/bin", HOME: "/", TZ: "UTC", LC_ALL: "C" };

export const OSV_VM = [process.execPath, join(REPOSITORY, "osv-vm.js")];

/** Machine options that the whole run of tests is about. */
export const OSV_VM_OPTIONS = (process.env.OSV_VM_OPTIONS ?? "").split(" ").filter((word) => word !== "");

/** `node osv-vm run`, with those. */
export const OSV_VM_RUN = [...OSV_VM, "run", ...OSV_VM_OPTIONS];

const standIn = process.env.OSV_VM_COMMAND;

/** True if the host stands in for osv-vm: what is about osv-vm itself cannot be tested then. */
export const isStandIn = standIn !== undefined;

type Where = Omit<GuestOptions, "input" | "timeout">;

const environmentOf = (options: Where) =>
  Object.entries({ ...ENVIRONMENT, ...options.env }).map((pair) => pair.join("="));

const isRoot = process.getuid?.() === 0;

/** Gives the root ($0) what osv-vm gives its guests. (Only root may mount a proc without more ado.) */
const PREPARE_ROOT = [
  'mount -t devpts -o ptmxmode=0666 devpts "$0/dev/pts"',
  ...(isRoot ? ['mount -t proc proc "$0/proc"'] : []),
  'exec "$@"',
].join(" && ");

/**
 * The command that runs a program on the host's own kernel and processor, in the same root: as root, or in a user
 * namespace as anybody.
 */
export function hostCommand(program: readonly string[], options: Where): string[] {
  const namespace = isRoot ? [] : ["--user", "--map-root-user"];
  const prepare = ["unshare", "--mount", ...namespace, "sh", "-c", PREPARE_ROOT, options.root];
  const enter = ["unshare", "--root", options.root, "--wd", options.cwd ?? "/"];
  return [...prepare, "env", "-i", ...environmentOf(options), ...enter, ...program];
}

/** The command that runs a program with `osv-vm run`. */
export function guestCommand(program: readonly string[], options: Where): string[] {
  if (standIn === "native") return hostCommand(program, options);
  if (standIn === "qemu") {
    const qemu = join(options.root, ".qemu");
    if (!existsSync(qemu)) copyFileSync("/usr/bin/qemu-x86_64-static", qemu);
    return hostCommand(["/.qemu", ...program], options);
  }
  return [
    ...OSV_VM_RUN,
    ...["--root", options.root],
    ...["--cwd", options.cwd ?? "/"],
    ...environmentOf(options).flatMap((pair) => ["--env", pair]),
    ...(options.options ?? []),
    ...program,
  ];
}

function processOptions({ input, timeout }: GuestOptions): ProcessOptions {
  return { ...(input !== undefined && { input }), ...(timeout !== undefined && { timeout }) };
}

/** Runs a program on the host. */
export function runOnHost(program: readonly string[], options: GuestOptions): Promise<Outcome> {
  return runProcess(hostCommand(program, options), processOptions(options));
}

/** Runs a program with `osv-vm run`. */
export function runOnOsvVm(program: readonly string[], options: GuestOptions): Promise<Outcome> {
  return runProcess(guestCommand(program, options), processOptions(options));
}
