/**
 * The host CPU as a {@link Target}: builds `silicon.c` with gcc and talks to it through pipes.
 *
 * Messages, little-endian. Setup: length, number of regions, FS base, GS base, the regions, their contents. Then
 * batches in both directions: length, number of records, the records (case.ts).
 */

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { resolve } from "node:path";
import type { Writable } from "node:stream";
import { CACHE, REPOSITORY } from "../../scripts/repository.ts";
import { baseline, FS_BASE, GS_BASE, REGIONS } from "./arena.ts";
import type { Case, FinalState } from "./case.ts";
import type { Target } from "./target.ts";

const SOURCE = resolve(REPOSITORY, "test/fuzz/silicon.c");
const BUILD_FOLDER = resolve(CACHE, "fuzz");

const GCC_OPTIONS = [
  ..."-O2 -Wall -static -nostdlib -ffreestanding -fno-stack-protector".split(" "),
  // Out of the way of the 32-bit addresses that cases come up with.
  "-mcmodel=large",
  "-Wl,-Ttext-segment=0x2a0000000000",
];

/** There is no host CPU to compare with; the message says why. */
export class SiliconUnavailable extends Error {
  override readonly name = "SiliconUnavailable";
}

/** Builds the program unless this source has been built before. @returns its path */
export function buildSilicon(): string {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new SiliconUnavailable(
      `the silicon oracle needs x86-64 Linux, this is ${process.arch} ${process.platform}`,
    );
  }
  const hash = createHash("sha256")
    .update(GCC_OPTIONS.join(" "))
    .update(readFileSync(SOURCE))
    .digest("hex")
    .slice(0, 16);
  const program = resolve(BUILD_FOLDER, `silicon-${hash}`);
  if (existsSync(program)) return program;
  mkdirSync(BUILD_FOLDER, { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  try {
    execFileSync("gcc", [...GCC_OPTIONS, "-o", unfinished, SOURCE], { stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw new SiliconUnavailable("the silicon oracle needs gcc, which is not installed");
    }
    throw error;
  }
  renameSync(unfinished, program);
  return program;
}

/** CPU features of the host by their names in /proc/cpuinfo; none where there is no such file. */
export function hostFeatures(): ReadonlySet<string> {
  if (!existsSync("/proc/cpuinfo")) return new Set();
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
  const features = new Set((flags?.[1] ?? "").trim().split(/\s+/));
  if (!features.has("abm") && executesLzcnt()) features.add("abm");
  return features;
}

/**
 * Some machines hide LZCNT in CPUID; the encoding is that of BSR with a prefix, and means it all the same.
 */
function executesLzcnt(): boolean {
  if (process.platform !== "linux" || process.arch !== "x64") return false;
  const program = resolve(BUILD_FOLDER, "lzcnt");
  if (!existsSync(program)) {
    mkdirSync(BUILD_FOLDER, { recursive: true });
    const source = 'int main(void) { int r; __asm__("lzcnt %1, %0" : "=r"(r) : "r"(1)); return r != 31; }';
    const built = spawnSync("gcc", ["-x", "c", "-", "-o", program], { input: source });
    if (built.status !== 0) return false;
  }
  return spawnSync(program).status === 0;
}

export class Silicon implements Target {
  readonly name = "silicon";
  private readonly child: ChildProcess;
  private readonly requests: Writable;
  private received: Buffer[] = [];
  private receivedLength = 0;
  private waiting: (() => void) | undefined;
  private ended: string | undefined;
  private last: Promise<void> = Promise.resolve();

  constructor() {
    this.child = spawn(buildSilicon(), [], { stdio: ["pipe", "pipe", "inherit"] });
    const { stdin, stdout } = this.child;
    if (stdin === null || stdout === null) throw new Error("spawn gave no pipes");
    this.requests = stdin;
    stdin.on("error", (error) => this.end(error.message));
    stdout.on("data", (chunk: Buffer) => {
      this.received.push(chunk);
      this.receivedLength += chunk.length;
      this.waiting?.();
    });
    this.child.on("exit", (status, signal) => this.end(signal ?? `status ${status}`));
    this.child.on("error", (error) => this.end(error.message));
    this.requests.write(setupMessage());
  }

  /** Sends the cases at once; answers come in order, so calls may overlap. */
  run(cases: readonly Case[], results: readonly FinalState[], count: number): Promise<void> {
    this.send(cases, count);
    const answered = this.last.then(() => this.collect(results, count));
    // Who waits for the next answer does not fail because of this one.
    this.last = answered.catch(() => undefined);
    return answered;
  }

  private send(cases: readonly Case[], count: number): void {
    let length = 0;
    for (let index = 0; index < count; index++) length += cases[index].size;
    const message = new Uint8Array(8 + length);
    const header = new DataView(message.buffer);
    header.setUint32(0, length, true);
    header.setUint32(4, count, true);
    let at = 8;
    for (let index = 0; index < count; index++) {
      message.set(cases[index].bytes.subarray(0, cases[index].size), at);
      at += cases[index].size;
    }
    this.requests.write(message);
  }

  private async collect(results: readonly FinalState[], count: number): Promise<void> {
    const answer = await this.receive();
    let at = 0;
    for (let index = 0; index < count; index++) at += results[index].copyFromWire(answer, at);
  }

  /** Ends the process. */
  close(): void {
    this.requests.end();
  }

  private async receive(): Promise<Uint8Array> {
    await this.receiveAtLeast(8);
    const length = this.peek().readUInt32LE(0);
    await this.receiveAtLeast(8 + length);
    const all = this.peek();
    this.received = all.length > 8 + length ? [all.subarray(8 + length)] : [];
    this.receivedLength = all.length - 8 - length;
    return all.subarray(8, 8 + length);
  }

  private async receiveAtLeast(length: number): Promise<void> {
    while (this.receivedLength < length) {
      if (this.ended !== undefined) throw new Error(`the silicon process has ended: ${this.ended}`);
      await new Promise<void>((resume) => {
        this.waiting = resume;
      });
      this.waiting = undefined;
    }
  }

  private peek(): Buffer {
    if (this.received.length > 1) this.received = [Buffer.concat(this.received)];
    return this.received[0];
  }

  private end(reason: string): void {
    this.ended ??= reason;
    this.waiting?.();
  }
}

function setupMessage(): Uint8Array {
  const contents = baseline();
  const message = new Uint8Array(24 + 32 * REGIONS.length + contents.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length, true);
  view.setUint32(4, REGIONS.length, true);
  view.setBigUint64(8, FS_BASE, true);
  view.setBigUint64(16, GS_BASE, true);
  let at = 24;
  for (const region of REGIONS) {
    view.setBigUint64(at, BigInt(region.address), true);
    view.setBigUint64(at + 8, BigInt(region.size), true);
    view.setBigUint64(at + 16, region.writable ? 1n : 0n, true);
    view.setBigUint64(at + 24, region.executable ? 1n : 0n, true);
    at += 32;
  }
  message.set(contents, at);
  return message;
}
