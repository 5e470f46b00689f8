/**
 * Stack operations: Intel SDM vol. 2, PUSH, POP, PUSHF, POPF, ENTER, LEAVE. In 64-bit mode the stack pointer is RSP and
 * operands have 64 bits, or 16 with a 66 prefix.
 */

import type { Builder } from "../../ir/builder.ts";
import type { MemoryKind, Value } from "../../ir/value.ts";
import { CPL, FLAGS_OTHER, Flag, INTERRUPT_REQUEST, Register } from "../../state.ts";
import { defineWithContext } from "../registry.ts";
import { loadSelector, readSelector } from "./segments.ts";

/** What one push or pop moves. */
function slot(operandSize: number): { bytes: number; kind: MemoryKind } {
  return operandSize === 16 ? { bytes: 2, kind: "u16" } : { bytes: 8, kind: "u64" };
}

function push(b: Builder, operandSize: number, value: Value): void {
  const { bytes, kind } = slot(operandSize);
  const rsp = b.sub(b.gpr(Register.RSP), b.const64(bytes));
  b.store(rsp, kind, value);
  b.setGpr(Register.RSP, rsp);
}

defineWithContext("push", (b, [src], { operandSize }) => {
  push(b, operandSize, src.kind === "segment" ? readSelector(b, src) : src.read());
});

defineWithContext("pop", (b, [dst], { operandSize }) => {
  const { bytes, kind } = slot(operandSize);
  const rsp = b.gpr(Register.RSP);
  const popped = b.add(rsp, b.const64(bytes));
  // Of a selector only its own two bytes are read, whatever the stack slot's size.
  const value = b.load(rsp, dst.kind === "segment" ? "u16" : kind);
  const always = b.const32(1);
  if (dst.kind === "segment") {
    loadSelector(b, dst, value);
    b.setGpr(Register.RSP, popped);
  } else if (dst.isMemory) {
    // An address that uses RSP uses it as it is after the increment. The store may fault, so the register has the new
    // value only while the address is computed.
    b.if(always, () => b.setGpr(Register.RSP, popped));
    const address = dst.address();
    b.if(always, () => b.setGpr(Register.RSP, rsp));
    b.store(address, kind, value);
    b.setGpr(Register.RSP, popped);
  } else {
    b.setGpr(Register.RSP, popped);
    dst.write(value); // POP RSP: the loaded value stays
  }
});

defineWithContext("pushf", (b, _operands, { operandSize }) => {
  push(b, operandSize, b.and(b.flags.readAll(), b.const64(~Flag.RF)));
});

/**
 * What everybody may change besides the arithmetic flags; IF takes CPL ≤ IOPL, and IOPL itself CPL 0. RF becomes 0.
 */
const IOPL = 3 << 12;
const POPF_MASK_16 = Flag.TF | Flag.DF | Flag.NT;
const POPF_MASK = POPF_MASK_16 | Flag.RF | Flag.AC | Flag.ID;

defineWithContext("popf", (b, _operands, { operandSize }) => {
  const { bytes, kind } = slot(operandSize);
  const rsp = b.gpr(Register.RSP);
  const flags = b.and(b.load(rsp, kind), b.const64(~Flag.RF));
  const cpl = b.field(CPL, "i32");
  const others = b.field(FLAGS_OTHER, "i32");
  const ioPrivilege = b.and(b.shrBy(others, 12), b.const32(3));
  const privileged = b.or(
    b.select(b.leU(cpl, ioPrivilege), b.const32(Flag.IF), b.const32(0)),
    b.select(b.eqz(cpl), b.const32(IOPL), b.const32(0)),
  );
  // A trap flag takes effect, an interrupt waits, or SMAP is suspended or not: the engine has to stop behind this.
  const low = b.wrap(flags);
  const opens = b.select(b.field(INTERRUPT_REQUEST, "i32"), b.const32(Flag.IF), b.const32(0));
  const watched = b.and(low, b.or(opens, b.const32(Flag.TF)));
  const access = b.and(b.xor(low, others), b.select(b.eq(cpl, b.const32(3)), b.const32(0), b.const32(Flag.AC)));
  b.if(b.or(watched, access), () => b.helper("requireAlone"));
  b.flags.writeAll(flags, operandSize === 16 ? POPF_MASK_16 : POPF_MASK, privileged);
  b.setGpr(Register.RSP, b.add(rsp, b.const64(bytes)));
});

defineWithContext("leave", (b, _operands, { operandSize }) => {
  const { bytes, kind } = slot(operandSize);
  const rbp = b.gpr(Register.RBP);
  const saved = b.load(rbp, kind);
  b.setGpr(Register.RSP, b.add(rbp, b.const64(bytes)));
  b.setGpr(Register.RBP, saved, operandSize === 16 ? 16 : 64);
});

defineWithContext("enter", (b, [size, nesting], { operandSize }) => {
  const { bytes, kind } = slot(operandSize);
  const bits = operandSize === 16 ? 16 : 64;
  const rsp = b.gpr(Register.RSP);
  const rbp = b.gpr(Register.RBP, bits);
  const level = b.and(nesting.read(), b.const64(31));
  const step = b.const64(bytes);
  const frame = b.sub(rsp, step);
  // The level + 1 pushes are the highest bytes of the new frame; what faults, faults before a register changes.
  const newRsp = b.sub(b.sub(frame, b.shlBy(level, bytes === 2 ? 1 : 3)), size.read());
  b.store(frame, kind, rbp);
  b.if(b.ne(level, b.const64(0)), () => {
    const count = b.variable(level);
    const at = b.variable(frame);
    const from = b.variable(b.gpr(Register.RBP));
    // The enclosing frames' pointers: level - 1 of them, from below RBP.
    b.if(b.gtU(level, b.const64(1)), () => {
      b.loop(() => {
        const source = b.sub(from.get(), step);
        const target = b.sub(at.get(), step);
        b.store(target, kind, b.load(source, kind));
        from.set(source);
        at.set(target);
        count.set(b.sub(count.get(), b.const64(1)));
        return b.gtU(count.get(), b.const64(1));
      });
    });
    b.store(b.sub(at.get(), step), kind, frame);
  });
  b.probeWrite(newRsp, bytes);
  b.setGpr(Register.RBP, frame, bits);
  b.setGpr(Register.RSP, newRsp);
});
