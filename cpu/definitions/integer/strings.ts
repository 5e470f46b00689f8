/**
 * String instructions: Intel SDM vol. 2, MOVS, STOS, LODS, SCAS, CMPS and REP. Each iteration of a repeated instruction
 * leaves RCX, RSI and RDI as a fault in the next one has to find them.
 */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { Register } from "../../state.ts";
import { defineWithContext, type InstructionContext } from "../registry.ts";

/** From this count on the call of a helper pays. */
const BULK_COUNT = 2;

const addressBits = (context: InstructionContext): 16 | 32 | 64 => context.addressSize;

/** Moves an index register on by a distance in bytes. */
function advance(b: Builder, register: number, distance: Value, bits: 16 | 32 | 64): void {
  b.setGpr(register, b.add(b.gpr(register, bits), distance), bits);
}

/** How far one element moves the index registers: ± its bytes, by DF. */
function stepOf(b: Builder, bytes: number): Value {
  return b.select(b.flags.direction(), b.const64(-bytes), b.const64(bytes));
}

/**
 * With a 32-bit address size, Intel's processors zero-extend these registers first of all, even if the count is 0 or an
 * access faults.
 */
function zeroExtend(b: Builder, registers: readonly number[]): void {
  b.if(b.const32(1), () => {
    for (const register of registers) b.setGpr(register, b.gpr(register, 32), 32);
  });
}

/**
 * MOVS, STOS: one iteration, or one round of REP (F2 repeats them as well), after which the instruction is executed
 * again. It is fetched anew because it may have overwritten itself.
 * @param bulk does several iterations at once, if DF is 0, and returns how many
 */
function writeString(
  b: Builder,
  context: InstructionContext,
  zeroExtended: readonly number[],
  iterate: () => void,
  bulk: (count: Value) => Value,
): void {
  if (context.repeat === "none") {
    iterate();
    return;
  }
  const bits = addressBits(context);
  if (bits === 32) zeroExtend(b, zeroExtended);
  const count = b.gpr(Register.RCX, bits);
  const rest = b.variable(b.const64(0));
  const finish = (done: Value): void => {
    const left = b.sub(count, done);
    b.setGpr(Register.RCX, left, bits);
    rest.set(left);
  };
  const oneRound = (): void => {
    iterate();
    finish(b.const64(1));
  };
  b.if(b.ne(count, b.const64(0)), () => {
    // Offsets of 16 bits wrap in the middle of pages.
    if (bits === 16) {
      oneRound();
      return;
    }
    const forward = b.eqz(b.flags.direction());
    b.if(b.and(forward, b.geU(count, b.const64(BULK_COUNT))), () => finish(bulk(count)), oneRound);
  });
  // Out here, because an iteration's writes take effect at the end of its block.
  b.if(b.ne(rest.get(), b.const64(0)), () => b.again());
}

/**
 * The loop of a repeat prefix for instructions that only read. An iteration returns a condition for going on besides the
 * count (i32), if it has one.
 */
function repeat(b: Builder, bits: 16 | 32 | 64, iterate: () => Value | undefined): void {
  b.loop(() => {
    const condition = iterate();
    const rest = b.sub(b.gpr(Register.RCX, bits), b.const64(1));
    b.setGpr(Register.RCX, rest, bits);
    const more = b.ne(rest, b.const64(0));
    return condition === undefined ? more : b.and(more, condition);
  });
}

defineWithContext("movs", (b, [dst, src], context) => {
  const bits = addressBits(context);
  const bytes = dst.bits / 8;
  const move = (distance: Value): void => {
    advance(b, Register.RSI, distance, bits);
    advance(b, Register.RDI, distance, bits);
  };
  const one = (): void => {
    dst.write(src.read());
    move(stepOf(b, bytes));
  };
  writeString(b, context, [Register.RCX, Register.RSI, Register.RDI], one, (count) => {
    b.helper("copyString", [dst.address(), src.address(), count, b.const32(bytes)]);
    const done = b.helperResult(0, "i64");
    move(b.mul(done, b.const64(bytes)));
    return done;
  });
});

defineWithContext("stos", (b, [dst, src], context) => {
  const bits = addressBits(context);
  const bytes = dst.bits / 8;
  const one = (): void => {
    dst.write(src.read());
    advance(b, Register.RDI, stepOf(b, bytes), bits);
  };
  writeString(b, context, [Register.RCX, Register.RDI], one, (count) => {
    b.helper("fillString", [dst.address(), src.read(), count, b.const32(bytes)]);
    const done = b.helperResult(0, "i64");
    advance(b, Register.RDI, b.mul(done, b.const64(bytes)), bits);
    return done;
  });
});

defineWithContext("lods", (b, [dst, src], context) => {
  const bits = addressBits(context);
  const one = (): undefined => {
    dst.write(src.read());
    advance(b, Register.RSI, stepOf(b, dst.bits / 8), bits);
    return undefined;
  };
  if (context.repeat === "none") {
    one();
    return;
  }
  if (bits === 32) zeroExtend(b, [Register.RCX]);
  b.if(b.ne(b.gpr(Register.RCX, bits), b.const64(0)), () => repeat(b, bits, one));
});

/**
 * SCAS, CMPS: one comparison, or those of REPE or REPNE. The flags are those of the last one, and change only when the
 * instruction is complete: a fault finds them as they were (SDM vol. 2, REP).
 * @param next compares the next elements: reads them and moves on
 */
function comparison(
  b: Builder,
  context: InstructionContext,
  elementBits: number,
  next: () => { x: Value; y: Value },
): void {
  if (context.repeat === "none") {
    const { x, y } = next();
    b.flags.sub(elementBits, x, y, b.sub(x, y));
    return;
  }
  const bits = addressBits(context);
  if (bits === 32) zeroExtend(b, [Register.RCX]);
  b.if(b.ne(b.gpr(Register.RCX, bits), b.const64(0)), () => {
    const lastX = b.variable(b.const64(0));
    const lastY = b.variable(b.const64(0));
    repeat(b, bits, () => {
      const { x, y } = next();
      lastX.set(x);
      lastY.set(y);
      return context.repeat === "rep" ? b.eq(x, y) : b.ne(x, y);
    });
    const x = lastX.get();
    const y = lastY.get();
    b.flags.sub(elementBits, x, y, b.sub(x, y));
  });
}

defineWithContext("scas", (b, [accumulator, memory], context) => {
  comparison(b, context, memory.bits, () => {
    const y = memory.read();
    advance(b, Register.RDI, stepOf(b, memory.bits / 8), addressBits(context));
    return { x: accumulator.read(), y };
  });
});

defineWithContext("cmps", (b, [first, second], context) => {
  const bits = addressBits(context);
  comparison(b, context, first.bits, () => {
    // The second operand is read first: its fault is the one that is seen.
    const y = second.read();
    const x = first.read();
    const step = stepOf(b, first.bits / 8);
    advance(b, Register.RSI, step, bits);
    advance(b, Register.RDI, step, bits);
    return { x, y };
  });
});
