/**
 * QEMU's devices as an oracle: its qtest protocol (qemu/docs/devel/testing/qtest.rst) reads and writes ports and memory
 * of a machine whose processor does not run. The clock stands still there: this is about registers, not about time.
 */

import { spawn, spawnSync } from "node:child_process";

import type { Bus } from "../bus.ts";

const QEMU = "qemu-system-x86_64";
const TIME_LIMIT_MS = 60_000;

/** Why it cannot be used here, or undefined. */
export function missingQtest(): string | undefined {
  const found = spawnSync(QEMU, ["--version"], { stdio: "ignore" });
  return found.error === undefined
    ? undefined
    : `${QEMU} is not installed (Debian: apt-get install qemu-system-x86)`;
}

/** Tests beside QEMU run if it is there, and must run in CI. */
export const canRunQtest = ((): boolean => {
  const missing = missingQtest();
  if (missing !== undefined && process.env.CI !== "true")
    console.log(`skipped: devices beside QEMU's: ${missing}`);
  return missing === undefined || process.env.CI === "true";
})();

/**
 * Runs commands such as `outb 0x21 0xff`, in order.
 * @returns for every command the words behind "OK": the value for reads, nothing for writes
 */
export async function runQtest(
  commands: readonly string[],
  machine: readonly string[] = [],
): Promise<string[][]> {
  const child = spawn(
    QEMU,
    [
      ...["-machine", "pc,accel=tcg", "-nodefaults", "-display", "none", "-S"],
      ...["-qtest", "stdio", "-qtest-log", "none", ...machine],
    ],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  const answers: string[][] = [];
  let [rest, problem] = ["", ""];
  const timer = setTimeout(() => {
    problem ||= "it took too long";
    child.kill("SIGKILL");
  }, TIME_LIMIT_MS);
  child.stderr.on("data", (bytes: Buffer) => {
    problem ||= answers.length < commands.length ? bytes.toString().slice(0, 300) : "";
  });
  child.stdout.on("data", (bytes: Buffer) => {
    const lines = (rest + bytes.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("OK")) answers.push(line.split(" ").slice(1));
      else if (line.startsWith("FAIL")) problem ||= `${commands[answers.length]}: ${line}`;
    }
    // It does not end by itself when its input does.
    if (answers.length >= commands.length || problem !== "") child.kill("SIGKILL");
  });
  child.stdin.on("error", () => {});
  child.stdin.write(`${commands.join("\n")}\n`);
  await new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve());
  });
  clearTimeout(timer);
  if (answers.length < commands.length) {
    throw new Error(`qtest: ${answers.length} answers to ${commands.length} commands; ${problem}`);
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
export async function readPortsInQemu(
  accesses: readonly PortAccess[],
  machine?: readonly string[],
): Promise<number[]> {
  const commands = accesses.map((access) => {
    if (access.kind === "input") return access.command;
    const port = `0x${access.port.toString(16)}`;
    return access.kind === "read" ? `inb ${port}` : `outb ${port} 0x${access.value.toString(16)}`;
  });
  const answers = await runQtest(commands, machine);
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

/** The same accesses on our side: what the reads gave. */
export function readPortsHere(bus: Bus, accesses: readonly PortAccess[]): number[] {
  return accesses.flatMap((access) => {
    if (access.kind === "write") bus.writePort(access.port, 1, access.value);
    else if (access.kind === "input") access.apply();
    return access.kind === "read" ? [bus.readPort(access.port, 1)] : [];
  });
}

/** The first read that differs, with what was done before it; undefined if all are the same. */
export function firstDifference(
  accesses: readonly PortAccess[],
  ours: readonly number[],
  theirs: readonly number[],
): string | undefined {
  let read = 0;
  for (const [at, access] of accesses.entries()) {
    if (access.kind !== "read") continue;
    if (ours[read] !== theirs[read]) {
      const before = accesses
        .slice(0, at)
        .filter(({ kind }) => kind !== "read")
        .slice(-12)
        .map((item) =>
          item.kind === "write"
            ? `write ${item.port.toString(16)} ${item.value.toString(16)}`
            : item.kind === "input"
              ? item.command
              : "",
        );
      return `${before.join("; ")}; read ${access.port.toString(16)}: ours ${ours[read].toString(16)}, QEMU's ${theirs[read].toString(16)} (read ${read})`;
    }
    read++;
  }
  return undefined;
}

/** Compares our devices on a bus with QEMU's; undefined if they read the same. */
export async function differenceFromQemu(
  bus: Bus,
  accesses: readonly PortAccess[],
  machine?: readonly string[],
): Promise<string | undefined> {
  return firstDifference(accesses, readPortsHere(bus, accesses), await readPortsInQemu(accesses, machine));
}
