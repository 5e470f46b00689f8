/**
 * QEMU's devices as an oracle: its qtest protocol (qemu/docs/devel/testing/qtest.rst) reads and writes ports and memory
 * of a machine whose processor does not run. The clock stands still there: this is about registers, not about time.
 */

import { spawnSync } from "node:child_process";

const QEMU = "qemu-system-x86_64";

/** Why it cannot be used here, or undefined. */
export function missingQtest(): string | undefined {
  const found = spawnSync(QEMU, ["--version"], { stdio: "ignore" });
  return found.error === undefined ? undefined : `${QEMU} is not installed (Debian: apt-get install qemu-system-x86)`;
}

/**
 * Runs commands such as `outb 0x21 0xff`, in order.
 * @returns for every command the words behind "OK": the value for reads, nothing for writes
 */
export function runQtest(commands: readonly string[], machine: readonly string[] = []): string[][] {
  const result = spawnSync(
    QEMU,
    [
      ...["-machine", "pc,accel=tcg", "-nodefaults", "-display", "none", "-S"],
      ...["-qtest", "stdio", "-qtest-log", "none", ...machine],
    ],
    { input: `${commands.join("\n")}\n`, encoding: "utf8", maxBuffer: 1 << 26 },
  );
  if (result.error !== undefined) throw result.error;
  const answers = result.stdout
    .split("\n")
    .filter((line) => line.startsWith("OK") || line.startsWith("FAIL"))
    .map((line) => line.split(" ").slice(1));
  if (answers.length !== commands.length || result.stdout.includes("FAIL")) {
    throw new Error(`qtest: ${answers.length} answers to ${commands.length} commands: ${result.stdout.slice(-300)} ${result.stderr.slice(0, 300)}`);
  }
  return answers;
}

/** One access to a port, for both sides. */
export type PortAccess =
  | { readonly kind: "read"; readonly port: number }
  | { readonly kind: "write"; readonly port: number; readonly value: number }
  /** An input of a device changes: its place in QEMU, and the same on our side. */
  | { readonly kind: "input"; readonly command: string; readonly apply: () => void };

/** What the ports read as in QEMU, in the order of the reads. */
export function readPortsInQemu(accesses: readonly PortAccess[], machine?: readonly string[]): number[] {
  const commands = accesses.map((access) => {
    if (access.kind === "input") return access.command;
    const port = `0x${access.port.toString(16)}`;
    return access.kind === "read" ? `inb ${port}` : `outb ${port} 0x${access.value.toString(16)}`;
  });
  const answers = runQtest(commands, machine);
  return accesses.flatMap(({ kind }, index) => (kind === "read" ? [Number(answers[index][0])] : []));
}

/** xorshift32: the same sequence in every run. */
export function generator(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
