/**
 * Instructions that ask the processor or the operating system for something, as user code (CPL 3) on Linux meets them:
 * identification, time, chance, bases of segments, system calls, breakpoints. What is privileged raises #GP(0).
 */

import { Exit } from "../engine.ts";
import type { Builder } from "../ir/builder.ts";
import type { Value } from "../ir/value.ts";
import { EXCEPTION_ERROR, EXCEPTION_VECTOR, Register, SEGMENT_BASE, Segment, Vector } from "../state.ts";
import { define } from "./registry.ts";

// ---- identification, time, chance ----

define("cpuid", (b) => {
  b.helper("cpuid", [b.gpr(Register.RAX, 32), b.gpr(Register.RCX, 32)].map(b.wrap), false);
  [Register.RAX, Register.RBX, Register.RCX, Register.RDX].forEach((register, slot) => {
    b.setGpr(register, b.helperResult(slot, "i64"));
  });
});

/** EDX:EAX. */
function writePair(b: Builder, value: Value): void {
  b.setGpr(Register.RAX, b.zext(value, 32));
  b.setGpr(Register.RDX, b.shrBy(value, 32));
}

define("rdtsc", (b) => {
  b.helper("timeStampCounter", [], false);
  writePair(b, b.helperResult(0, "i64"));
});

/** IA32_TSC_AUX: Linux stores node and number of the processor there; there is one. */
const TSC_AUX = 0;

define("rdtscp", (b) => {
  b.helper("timeStampCounter", [], false);
  writePair(b, b.helperResult(0, "i64"));
  b.setGpr(Register.RCX, b.const64(TSC_AUX));
});

define("rdpid", (b, dst) => dst.write(b.const64(TSC_AUX)));

for (const mnemonic of ["rdrand", "rdseed"]) {
  define(mnemonic, (b, dst) => {
    b.helper("random", [], false);
    dst.write(b.helperResult(0, "i64"));
    b.flags.setAll({ carry: b.const32(1) }); // there is always some
  });
}

/** XCR0 is the only extended control register. */
define("xgetbv", (b) => {
  b.if(b.ne(b.gpr(Register.RCX, 32), b.const64(0)), () => b.exception(Vector.GP, 0));
  b.helper("xcr0", [], false);
  writePair(b, b.helperResult(0, "i64"));
});

// ---- bases of FS and GS ----

for (const [name, segment] of [
  ["fs", Segment.FS],
  ["gs", Segment.GS],
] as const) {
  const offset = SEGMENT_BASE + segment * 8;

  define(`rd${name}base`, (b, dst) => dst.write(b.field(offset, "i64")));

  define(`wr${name}base`, (b, src) => {
    const base = src.read();
    if (src.bits === 64) b.if(b.ne(b.sext(base, 48), base), () => b.exception(Vector.GP, 0));
    b.setField(offset, "i64", base);
  });
}

// ---- into the operating system ----

define("syscall", (b) => {
  b.setGpr(Register.RCX, b.nextRip());
  b.setGpr(Register.R11, b.flags.readAll());
  b.exit(Exit.Syscall);
});

/** Completes the instruction and raises a trap behind it. */
function trap(b: Builder, vector: Value): void {
  b.setField(EXCEPTION_VECTOR, "i32", vector);
  b.setField(EXCEPTION_ERROR, "i32", b.const32(0));
  b.exit(Exit.Exception);
}

define("int3", (b) => trap(b, b.const32(Vector.BP)));
define("int1", (b) => trap(b, b.const32(Vector.DB)));

define("int", (b, number) => {
  const vector = b.wrap(number.read());
  // Linux lets user code through to the gates of #BP and #OF only; the helper raises #GP for the others.
  b.helper("checkInterruptGate", [vector]);
  trap(b, vector);
});

for (const mnemonic of ["ud0", "ud1", "ud2"]) define(mnemonic, (b) => b.exception(Vector.UD));
define("rsm", (b) => b.exception(Vector.UD));

// ---- what is not for user code ----

/** SGDT … SMSW are not privileged on old processors: UMIP (SDM vol. 3, 2.5, CR4.UMIP) makes them so. */
const PRIVILEGED =
  "hlt cli sti in out ins outs iret retf callf jmpf " +
  "lgdt lidt lldt ltr lmsw invlpg clts invd wbinvd wrmsr rdmsr rdpmc swapgs sysret sysenter sysexit xsetbv " +
  "sgdt sidt sldt str smsw";

for (const mnemonic of PRIVILEGED.split(" ")) define(mnemonic, (b) => b.exception(Vector.GP, 0));
