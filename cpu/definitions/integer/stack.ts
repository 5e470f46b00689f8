/** Stack operations: Intel SDM vol. 2, PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE. */

import type { Builder } from "../../ir/builder.ts";
import { CPL, FLAGS_OTHER, Flag, INTERRUPT_REQUEST, Register, Vector } from "../../state.ts";
import { defineWithContext, type InstructionContext } from "../registry.ts";
import { StackAccess } from "../stack-access.ts";
import { loadSelector, readSelector } from "./segments.ts";

defineWithContext("push", (b, [src], context) => {
  new StackAccess(b, context).push(src.kind === "segment" ? readSelector(b, src) : src.read());
});

defineWithContext("pop", (b, [dst], context) => {
  const stack = new StackAccess(b, context);
  const top = stack.pointer();
  const popped = stack.move(top, stack.bytes);
  // Of a selector only its own two bytes are read, whatever the stack slot's size.
  const value = stack.load(top, dst.kind === "segment" ? "u16" : stack.kind);
  const always = b.const32(1);
  if (dst.kind === "segment") {
    loadSelector(b, dst, value);
    stack.setPointer(popped);
  } else if (dst.isMemory) {
    // An address that uses RSP uses it as it is after the increment. The store may fault, so the register has the new
    // value only while the address is computed.
    b.if(always, () => stack.setPointer(popped));
    const address = dst.address();
    b.if(always, () => stack.setPointer(top));
    b.store(address, stack.kind, value);
    stack.setPointer(popped);
  } else {
    stack.setPointer(popped);
    dst.write(value); // POP RSP: the loaded value stays
  }
});

/** In the order in which PUSHA pushes them: encoding order. */
const ALL_REGISTERS = [0, 1, 2, 3, 4, 5, 6, 7];

defineWithContext("pusha", (b, _operands, context) => {
  const stack = new StackAccess(b, context);
  const top = stack.pointer();
  const end = stack.move(top, -8 * stack.bytes);
  // Below the first word everything is there if the last one is: a fault comes before any change.
  b.probeWrite(stack.address(end), stack.bytes);
  b.probeWrite(stack.address(stack.move(top, -stack.bytes)), stack.bytes);
  for (const register of ALL_REGISTERS)
    stack.store(stack.move(top, -(register + 1) * stack.bytes), b.gpr(register, stack.wordBits));
  stack.setPointer(end);
});

defineWithContext("popa", (b, _operands, context) => {
  const stack = new StackAccess(b, context);
  const top = stack.pointer();
  const values = ALL_REGISTERS.map((register) => stack.load(stack.move(top, (7 - register) * stack.bytes)));
  stack.setPointer(stack.move(top, 8 * stack.bytes));
  for (const register of ALL_REGISTERS)
    if (register !== Register.RSP) b.setGpr(register, values[register], stack.wordBits);
});

/** In virtual-8086 mode PUSHF and POPF take IOPL 3 (SDM vol. 3, 21.2.7). */
function requireVirtualPrivilege(b: Builder, { codeSize }: InstructionContext): void {
  if (codeSize === 64) return;
  const watched = b.and(b.field(FLAGS_OTHER, "i32"), b.const32(Flag.VM | IOPL));
  const isVirtual = b.and(watched, b.const32(Flag.VM));
  const isFull = b.eq(watched, b.const32(Flag.VM | IOPL));
  b.if(b.and(b.ne(isVirtual, b.const32(0)), b.eqz(isFull)), () => b.exception(Vector.GP, 0));
}

defineWithContext("pushf", (b, _operands, context) => {
  requireVirtualPrivilege(b, context);
  new StackAccess(b, context).push(b.and(b.flags.readAll(), b.const64(~(Flag.RF | Flag.VM))));
});

/**
 * What everybody may change besides the arithmetic flags; IF takes CPL ≤ IOPL, and IOPL itself CPL 0. RF becomes 0.
 */
const IOPL = 3 << 12;
const POPF_MASK_16 = Flag.TF | Flag.DF | Flag.NT;
const POPF_MASK = POPF_MASK_16 | Flag.RF | Flag.AC | Flag.ID;

defineWithContext("popf", (b, _operands, context) => {
  requireVirtualPrivilege(b, context);
  const stack = new StackAccess(b, context);
  const top = stack.pointer();
  const flags = b.and(stack.load(top), b.const64(~Flag.RF));
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
  const isUser = b.eq(cpl, b.const32(3));
  const changed = b.and(b.xor(low, others), b.const32(Flag.AC));
  const access = b.select(isUser, b.const32(0), changed);
  b.if(b.or(watched, access), () => b.helper("requireAlone"));
  b.flags.writeAll(flags, context.operandSize === 16 ? POPF_MASK_16 : POPF_MASK, privileged);
  stack.setPointer(stack.move(top, stack.bytes));
  // For user code AC has accesses checked from here on, or not any more. (The flags are written when all this is done.)
  if (context.operandSize !== 16)
    b.if(b.select(isUser, changed, b.const32(0)), () => b.helper("alignmentCheck", [low], false));
});

defineWithContext("leave", (b, _operands, context) => {
  const stack = new StackAccess(b, context);
  const frame = stack.pointer(Register.RBP);
  const saved = stack.load(frame);
  stack.setPointer(stack.move(frame, stack.bytes));
  b.setGpr(Register.RBP, saved, stack.wordBits);
});

defineWithContext("enter", (b, [size, nesting], context) => {
  const stack = new StackAccess(b, context);
  const { bytes } = stack;
  const level = b.and(nesting.read(), b.const64(31));
  const frame = stack.move(stack.pointer(), -bytes);
  // The level + 1 pushes are the highest bytes of the new frame; what faults, faults before a register changes.
  const pointers = b.shlBy(level, Math.log2(bytes));
  const newTop = stack.move(frame, b.neg(b.add(pointers, size.read())));
  stack.store(frame, b.gpr(Register.RBP, stack.wordBits));
  b.if(b.ne(level, b.const64(0)), () => copyFrames(b, stack, frame, level));
  b.probeWrite(stack.address(newTop), bytes);
  b.setGpr(Register.RBP, frame, stack.wordBits);
  stack.setPointer(newTop);
});

/** The enclosing frames' pointers: level - 1 of them, from below RBP; then the new frame's. */
function copyFrames(
  b: Builder,
  stack: StackAccess,
  frame: ReturnType<StackAccess["pointer"]>,
  level: typeof frame,
) {
  const count = b.variable(level);
  const at = b.variable(frame);
  const from = b.variable(stack.pointer(Register.RBP));
  b.if(b.gtU(level, b.const64(1)), () => {
    b.loop(() => {
      const source = stack.move(from.get(), -stack.bytes);
      const target = stack.move(at.get(), -stack.bytes);
      stack.store(target, stack.load(source));
      from.set(source);
      at.set(target);
      count.set(b.sub(count.get(), b.const64(1)));
      return b.gtU(count.get(), b.const64(1));
    });
  });
  stack.store(stack.move(at.get(), -stack.bytes), frame);
}
