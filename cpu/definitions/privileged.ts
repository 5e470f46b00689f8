/**
 * Instructions of operating systems: Intel SDM vol. 2, and vol. 3, 2.8. Their work is done by helpers (helpers/privileged.ts),
 * which raise #GP(0) for user code of the OSv kernel: there nothing is privileged enough. What may change more than its own
 * results (devices, modes, translations) leaves the engine behind itself.
 */

import { Exit } from "../engine.ts";
import type { Builder } from "../ir/builder.ts";
import type { Operand } from "../ir/operand.ts";
import type { Value } from "../ir/value.ts";
import {
  CPL,
  FLAGS_OTHER,
  Flag,
  INTERRUPT_REQUEST,
  KERNEL_GS_BASE,
  Register,
  SEGMENT_BASE,
  Segment,
  SHADOW_RIP,
  Vector,
} from "../state.ts";
import { define, defineWithContext } from "./registry.ts";

function requirePrivilege(b: Builder): void {
  b.if(b.field(CPL, "i32"), () => b.exception(Vector.GP, 0));
}

// ---- interrupts ----

/** CLI and STI take CPL ≤ IOPL. */
function requireIoPrivilege(b: Builder): void {
  const ioPrivilege = b.and(b.shrBy(b.field(FLAGS_OTHER, "i32"), 12), b.const32(3));
  b.if(b.gtU(b.field(CPL, "i32"), ioPrivilege), () => b.exception(Vector.GP, 0));
}

define("cli", (b) => {
  requireIoPrivilege(b);
  b.setField(FLAGS_OTHER, "i32", b.and(b.field(FLAGS_OTHER, "i32"), b.const32(~Flag.IF)));
});

define("sti", (b) => {
  requireIoPrivilege(b);
  const flags = b.field(FLAGS_OTHER, "i32");
  const wasClosed = b.eqz(b.and(flags, b.const32(Flag.IF)));
  // An interrupt that waits comes behind the next instruction.
  b.if(b.and(wasClosed, b.ne(b.field(INTERRUPT_REQUEST, "i32"), b.const32(0))), () =>
    b.helper("requireAlone"),
  );
  b.setField(SHADOW_RIP, "i64", b.select(wasClosed, b.nextRip(), b.field(SHADOW_RIP, "i64")));
  b.setField(FLAGS_OTHER, "i32", b.or(flags, b.const32(Flag.IF)));
});

define("hlt", (b) => {
  requirePrivilege(b);
  b.exit(Exit.Halt);
});

// ---- ports ----

define("in", (b, dst, port) => {
  b.helper("portIn", [b.wrap(port.read()), b.const32(dst.bits / 8)]);
  dst.write(b.helperResult(0, "i64"));
  b.exit(Exit.Attention);
});

define("out", (b, port, src) => {
  b.helper("portOut", [b.wrap(port.read()), b.const32(src.bits / 8), b.wrap(src.read())]);
  b.exit(Exit.Attention);
});

/** Slots of the helpers: 0 bytes of an element, 1 bits of index registers and count, 2 repeated, 3 base of the segment. */
for (const [mnemonic, helper] of [
  ["ins", "portInString"],
  ["outs", "portOutString"],
] as const) {
  defineWithContext(mnemonic, (b, operands, { addressSize, repeat, codeSize }) => {
    const memory = operands[mnemonic === "ins" ? 0 : 1];
    const extra = b.field(SEGMENT_BASE + Segment.ES * 8, "i64");
    const base = mnemonic === "outs" ? b.encoded("segmentBase") : codeSize === 64 ? b.const64(0) : extra;
    const numbers = [memory.bits / 8, addressSize, repeat === "none" ? 0 : 1].map((value) =>
      b.const32(value),
    );
    b.helper(helper, [...numbers, base]);
    b.exit(Exit.Attention);
  });
}

// ---- other code segments ----

defineWithContext("iret", (b, _operands, { operandSize }) => {
  b.helper("interruptReturn", [b.const32(operandSize)]);
  b.exit(Exit.Transfer);
});

defineWithContext("retf", (b, operands, { operandSize }) => {
  const extra = operands.length === 0 ? b.const32(0) : b.wrap(operands[0].read());
  b.helper("farReturn", [b.const32(operandSize), extra]);
  b.exit(Exit.Transfer);
});

/** Selector (i32) and offset (i64) of a far pointer: in memory the offset comes first, in a record the selector is above. */
function farPointer(b: Builder, pointer: Operand, operandSize: number): [selector: Value, offset: Value] {
  if (!pointer.isMemory) {
    const both = b.immediate();
    return [b.wrap(b.shrBy(both, 32)), b.zext(both, operandSize === 16 ? 16 : 32)];
  }
  const address = pointer.address();
  const kind = operandSize === 16 ? "u16" : operandSize === 32 ? "u32" : "u64";
  const offset = b.load(address, kind);
  return [b.wrap(b.load(b.add(address, b.const64(operandSize / 8)), "u16")), offset];
}

for (const [mnemonic, helper] of [
  ["jmpf", "farJump"],
  ["callf", "farCall"],
] as const) {
  defineWithContext(mnemonic, (b, [pointer], { operandSize }) => {
    b.helper(helper, [...farPointer(b, pointer, operandSize), b.const32(operandSize)]);
    b.exit(Exit.Transfer);
  });
}

for (const [mnemonic, helper] of [
  ["sysret", "systemReturn"],
  ["sysenter", "systemEnter"],
  ["sysexit", "systemExit"],
] as const) {
  defineWithContext(mnemonic, (b, _operands, { operandSize }) => {
    b.helper(helper, [b.const32(operandSize)]);
    b.exit(Exit.Transfer);
  });
}

define("swapgs", (b) => {
  requirePrivilege(b);
  const base = SEGMENT_BASE + Segment.GS * 8;
  const old = b.field(base, "i64");
  b.setField(base, "i64", b.field(KERNEL_GS_BASE, "i64"));
  b.setField(KERNEL_GS_BASE, "i64", old);
});

// ---- tables and system registers ----

const TABLES = { gdt: 0, idt: 1 } as const;
for (const [table, number] of Object.entries(TABLES)) {
  defineWithContext(`l${table}`, (b, [memory], { operandSize }) => {
    b.helper("loadTable", [b.const32(number), memory.address(), b.const32(operandSize)]);
  });
  defineWithContext(`s${table}`, (b, [memory], { operandSize }) => {
    b.helper("storeTable", [b.const32(number), memory.address(), b.const32(operandSize)]);
  });
}

for (const mnemonic of ["sldt", "str", "smsw"]) {
  define(mnemonic, (b, dst) => {
    b.helper(mnemonic);
    dst.write(b.helperResult(0, "i64"));
  });
}

for (const mnemonic of ["lldt", "ltr"]) {
  define(mnemonic, (b, src) => b.helper(mnemonic, [b.wrap(b.zext(src.read(), 16))]));
}

define("lmsw", (b, src) => {
  b.helper("lmsw", [b.wrap(b.zext(src.read(), 16))]);
  b.exit(Exit.Attention);
});

define("clts", (b) => {
  b.helper("clts");
  b.exit(Exit.Attention);
});

define("invlpg", (b, memory) => {
  b.helper("invlpg", [memory.address()]);
  b.exit(Exit.Attention);
});

define("invpcid", (b, type, memory) => {
  b.helper("invpcid", [type.read(), memory.address()]);
  b.exit(Exit.Attention);
});

/** Nothing is executed ahead of time, and changed code is seen at once. */
define("serialize", () => undefined);

// Caches are not modelled.
for (const mnemonic of ["invd", "wbinvd"]) define(mnemonic, requirePrivilege);

const edxEax = (b: Builder): Value => b.or(b.shlBy(b.gpr(Register.RDX, 32), 32), b.gpr(Register.RAX, 32));

define("rdmsr", (b) => {
  b.helper("rdmsr", [b.wrap(b.gpr(Register.RCX, 32))]);
  const value = b.helperResult(0, "i64");
  b.setGpr(Register.RAX, b.zext(value, 32));
  b.setGpr(Register.RDX, b.shrBy(value, 32));
});

define("wrmsr", (b) => {
  b.helper("wrmsr", [b.wrap(b.gpr(Register.RCX, 32)), edxEax(b)]);
  b.exit(Exit.Attention);
});

define("xsetbv", (b) => {
  b.helper("xsetbv", [b.wrap(b.gpr(Register.RCX, 32)), edxEax(b)]);
  b.exit(Exit.Attention);
});

/** There are no performance counters. */
define("rdpmc", (b) => b.exception(Vector.GP, 0));

/** SMAP is suspended while AC is set. Undefined for user code. */
for (const [mnemonic, flag] of [
  ["stac", Flag.AC],
  ["clac", 0],
] as const) {
  define(mnemonic, (b) => {
    b.if(b.field(CPL, "i32"), () => b.exception(Vector.UD, 0));
    const others = b.and(b.field(FLAGS_OTHER, "i32"), b.const32(~Flag.AC));
    b.setField(FLAGS_OTHER, "i32", b.or(others, b.const32(flag)));
    if (flag === 0) b.helper("endUserAccess", [], false);
  });
}
