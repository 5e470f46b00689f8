/**
 * Instructions that ask the processor or the operating system for something: identification, time, chance, bases of
 * segments, system calls, breakpoints. What only operating systems use is in privileged.ts.
 */

import { Exit } from "../engine.ts";
import type { Builder } from "../ir/builder.ts";
import type { Value } from "../ir/value.ts";
import {
  EXCEPTION_ERROR,
  EXCEPTION_SOURCE,
  EXCEPTION_VECTOR,
  ExceptionSource,
  Register,
  SEGMENT_BASE,
  Segment,
  Vector,
} from "../state.ts";
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
  b.helper("timeStampCounter");
  writePair(b, b.helperResult(0, "i64"));
});

/** Slot 1: IA32_TSC_AUX, where Linux stores node and number of the processor. */
define("rdtscp", (b) => {
  b.helper("timeStampCounter");
  writePair(b, b.helperResult(0, "i64"));
  b.setGpr(Register.RCX, b.helperResult(1, "i64"));
});

define("rdpid", (b, dst) => {
  b.helper("processorNumber", [], false);
  dst.write(b.helperResult(0, "i64"));
});

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
function trap(b: Builder, vector: Value, source: number): void {
  b.setField(EXCEPTION_SOURCE, "i32", b.const32(source));
  b.setField(EXCEPTION_VECTOR, "i32", vector);
  b.setField(EXCEPTION_ERROR, "i32", b.const32(0));
  b.exit(Exit.Exception);
}

define("int3", (b) => trap(b, b.const32(Vector.BP), ExceptionSource.Breakpoint));
define("int1", (b) => trap(b, b.const32(Vector.DB), ExceptionSource.Icebp));

define("int", (b, number) => {
  const vector = b.wrap(number.read());
  // The OSv kernel lets user code through to the gates of #BP and #OF only: #GP for the others. A whole PC has an IDT.
  b.helper("checkInterruptGate", [vector]);
  trap(b, vector, ExceptionSource.Interrupt);
});

for (const mnemonic of ["ud0", "ud1", "ud2"]) define(mnemonic, (b) => b.exception(Vector.UD));
define("rsm", (b) => b.exception(Vector.UD));
