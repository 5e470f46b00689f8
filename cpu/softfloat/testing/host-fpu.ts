/**
 * The host processor as an oracle: compiles a C program that runs one SSE or x87 instruction per record on the real FPU
 * and returns registers, memory and exception flags. Only for tests (needs Node, gcc and an x86-64 host).
 */

import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What to execute: for "sse" in the registers XMM0…2, RAX; for "x87" in ST(0), ST(1) with memory at %[m]. */
export interface HostOperation {
  readonly unit: "sse" | "x87";
  /** gcc inline assembly, e.g. `addss %%xmm1, %%xmm0` or `faddl %[m]`. */
  readonly code: string;
}

/** One execution. 128-bit values are unsigned bigints; absent ones are zero. */
export interface HostInput {
  /** Index into the operations. */
  readonly operation: number;
  /** MXCSR or FCW. */
  readonly control: number;
  /** XMM0 or ST(0) (80 bits). */
  readonly a?: bigint;
  /** XMM1 or ST(1). */
  readonly b?: bigint;
  /** XMM2, or the 16 bytes at %[m]. */
  readonly c?: bigint;
  /** RAX. */
  readonly rax?: bigint;
}

export interface HostOutput {
  /** XMM0, or ST(0) if the register is in use (else 0). For x87 80 bits. */
  readonly a: bigint;
  /** x87: ST(1). */
  readonly b: bigint;
  /** x87: memory afterwards. */
  readonly c: bigint;
  readonly rax: bigint;
  /** MXCSR or FSW after the instruction. */
  readonly status: number;
  readonly rflags: number;
  /** The instruction raised SIGFPE (#XM; x87 faults come later and are seen in FSW.ES). */
  readonly trapped: boolean;
}

const INPUT_SIZE = 64;
const OUTPUT_SIZE = 80;

function cSource(operations: readonly HostOperation[]): string {
  const cases = operations
    .map(({ unit, code }, index) => `    case ${index}: ${unit.toUpperCase()}("${code}"); break;`)
    .join("\n");
  return String.raw`#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

struct input { uint32_t operation, control; uint8_t a[16], b[16], c[16]; uint64_t rax; };
struct output { uint8_t a[16], b[16], c[16]; uint64_t rax; uint32_t status, rflags, trapped, pad[3]; };
_Static_assert(sizeof(struct input) == ${INPUT_SIZE}, "input");
_Static_assert(sizeof(struct output) == ${OUTPUT_SIZE}, "output");

static struct input in;
static struct output out;
static uint8_t m[16] __attribute__((aligned(16)));
static uint8_t fx[512] __attribute__((aligned(16)));
static uint64_t rflags;
static uint32_t default_mxcsr = 0x1f80;
static sigjmp_buf trap;

static void on_fpe(int signal, siginfo_t *info, void *context) {
  out.status = ((ucontext_t *)context)->uc_mcontext.fpregs->mxcsr;
  siglongjmp(trap, 1);
}

#define SSE(code) asm volatile( \
  "movups %[a], %%xmm0\n movups %[b], %%xmm1\n movups %[c], %%xmm2\n mov %[rax], %%rax\n" \
  "ldmxcsr %[control]\n" code "\n stmxcsr %[status]\n ldmxcsr %[normal]\n" \
  "movups %%xmm0, %[oa]\n mov %%rax, %[orax]\n pushf\n pop %[rflags]\n" \
  : [oa] "=m"(out.a), [orax] "=m"(out.rax), [status] "=m"(out.status), [rflags] "=m"(rflags) \
  : [a] "m"(in.a), [b] "m"(in.b), [c] "m"(in.c), [rax] "m"(in.rax), [control] "m"(in.control), \
    [normal] "m"(default_mxcsr) \
  : "rax", "xmm0", "xmm1", "xmm2", "cc", "memory")

#define X87(code) asm volatile( \
  "fninit\n fldt %[b]\n fldt %[a]\n fldcw %[control]\n" \
  code "\n pushf\n pop %[rflags]\n fxsave %[fx]\n fninit\n" \
  : [rflags] "=m"(rflags), [fx] "=m"(fx), [m] "+m"(m) \
  : [a] "m"(in.a), [b] "m"(in.b), [control] "m"(in.control) \
  : "rax", "cc", "memory")

static void finish_x87(void) {
  memcpy(out.c, m, 16);
  memcpy(&out.status, fx + 2, 2);
  unsigned top = out.status >> 11 & 7, tags = fx[4];
  if (tags >> top & 1) memcpy(out.a, fx + 32, 10);
  if (tags >> (top + 1 & 7) & 1) memcpy(out.b, fx + 48, 10);
}

static int is_x87(unsigned operation) {
  static const char units[] = "${operations.map(({ unit }) => (unit === "x87" ? "1" : "0")).join("")}";
  return units[operation] == '1';
}

static void execute(void) {
  switch (in.operation) {
${cases}
  }
}

int main(void) {
  struct sigaction action = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO};
  sigaction(SIGFPE, &action, 0);
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    memset(&out, 0, sizeof out);
    memcpy(m, in.c, 16);
    rflags = 0;
    if (sigsetjmp(trap, 0)) {
      sigset_t set;
      out.trapped = 1;
      asm volatile("ldmxcsr %0" : : "m"(default_mxcsr));
      sigemptyset(&set);
      sigaddset(&set, SIGFPE);
      sigprocmask(SIG_UNBLOCK, &set, 0);
    } else {
      execute();
      if (is_x87(in.operation)) finish_x87();
    }
    out.rflags = rflags;
    fwrite(&out, sizeof out, 1, stdout);
  }
}
`;
}

function put128(view: DataView, offset: number, value: bigint): void {
  view.setBigUint64(offset, BigInt.asUintN(64, value), true);
  view.setBigUint64(offset + 8, BigInt.asUintN(64, value >> 64n), true);
}

function get128(view: DataView, offset: number): bigint {
  return view.getBigUint64(offset, true) | (view.getBigUint64(offset + 8, true) << 64n);
}

/** Why the host cannot be asked, or null. */
export function hostFpuUnavailable(): string | null {
  if (process.arch !== "x64" || process.platform !== "linux") return "the host is not x86-64 Linux";
  if (spawnSync("gcc", ["--version"]).status !== 0) return "gcc is not installed (apt-get install gcc)";
  return null;
}

/** The host's processor, for what Intel and AMD do differently. */
export function hostIsIntel(): boolean {
  return readFileSync("/proc/cpuinfo", "utf8").includes("GenuineIntel");
}

/** A flag of /proc/cpuinfo. */
export function hostHas(feature: string): boolean {
  return new RegExp(`^flags\\s*:.*\\b${feature}\\b`, "m").test(readFileSync("/proc/cpuinfo", "utf8"));
}

export class HostFpu {
  private readonly program: string;

  /** Compiles the program unless .cache/ has it from an earlier run. */
  constructor(operations: readonly HostOperation[]) {
    const source = cSource(operations);
    const directory = join(".cache", "host-fpu");
    this.program = join(directory, createHash("sha256").update(source).digest("hex").slice(0, 16));
    if (existsSync(this.program)) return;
    mkdirSync(directory, { recursive: true });
    const file = `${this.program}.${process.pid}`;
    writeFileSync(`${file}.c`, source);
    execFileSync("gcc", ["-O1", "-mno-red-zone", "-w", "-o", file, `${file}.c`]);
    renameSync(file, this.program);
  }

  run(inputs: readonly HostInput[]): HostOutput[] {
    const buffer = new ArrayBuffer(inputs.length * INPUT_SIZE);
    const view = new DataView(buffer);
    for (const [index, input] of inputs.entries()) {
      const offset = index * INPUT_SIZE;
      view.setUint32(offset, input.operation, true);
      view.setUint32(offset + 4, input.control, true);
      put128(view, offset + 8, input.a ?? 0n);
      put128(view, offset + 24, input.b ?? 0n);
      put128(view, offset + 40, input.c ?? 0n);
      view.setBigUint64(offset + 56, input.rax ?? 0n, true);
    }
    const result = spawnSync(this.program, {
      input: new Uint8Array(buffer),
      maxBuffer: 1 << 30,
      timeout: 30_000,
    });
    if (result.status !== 0 || result.stdout.length !== inputs.length * OUTPUT_SIZE) {
      throw new Error(
        `the host FPU program failed: status ${result.status}, signal ${result.signal}, ${result.stderr}`,
      );
    }
    const { stdout } = result;
    const outputs = new DataView(stdout.buffer, stdout.byteOffset, stdout.length);
    return inputs.map((_, index) => {
      const offset = index * OUTPUT_SIZE;
      return {
        a: get128(outputs, offset),
        b: get128(outputs, offset + 16),
        c: get128(outputs, offset + 32),
        rax: outputs.getBigUint64(offset + 48, true),
        status: outputs.getUint32(offset + 56, true),
        rflags: outputs.getUint32(offset + 60, true),
        trapped: outputs.getUint32(offset + 64, true) !== 0,
      };
    });
  }
}
