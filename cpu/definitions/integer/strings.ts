/**
 * String instructions: Intel SDM vol. 2, MOVS, STOS, LODS, SCAS, CMPS and REP. With a repeat prefix one execution of the
 * definition is one iteration, or a whole run of them through a helper; so a fault finds RCX, RSI and RDI as they are
 * after the iterations before it.
 */

import type { Builder } from "../../ir/builder.ts";
import type { Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { Register } from "../../state.ts";
import { defineWithContext, type InstructionContext } from "../registry.ts";


/** From this count on the call of a helper pays. */
const BULK_COUNT = 16;

const addressBits = (context: InstructionContext): 32 | 64 => (context.addressSize === 32 ? 32 : 64);

/** Moves an index register on by a distance in bytes. */
function advance(b: Builder, register: number, distance: Value, bits: 32 | 64): void {
  b.setGpr(register, b.add(b.gpr(register, bits), distance), bits);
}

/** How far one element moves the index registers: ± its bytes, by DF. */
function stepOf(b: Builder, bytes: number): Value {
  return b.select(b.flags.direction(), b.const64(-bytes), b.const64(bytes));
}

/**
 * Wraps one iteration into the repeat prefix. The iteration returns the condition for going on besides the count (i32),
 * if it has one. `bulk` does several iterations at once and returns how many.
 */
function repeat(
  b: Builder,
  context: InstructionContext,
  iterate: () => Value | undefined,
  bulk?: (count: Value) => Value,
): void {
  if (context.repeat === "none") {
    iterate();
    return;
  }
  const bits = addressBits(context);
  const count = b.gpr(Register.RCX, bits);
  const again = b.variable(b.const32(0));
  const finish = (rest: Value, condition: Value | undefined): void => {
    b.setGpr(Register.RCX, rest, bits);
    const more = b.ne(rest, b.const64(0));
    again.set(condition === undefined ? more : b.and(more, condition));
  };
  const one = (): void => {
    const condition = iterate();
    finish(b.sub(count, b.const64(1)), condition);
  };
  const several = (): void => {
    if (bulk === undefined) {
      one();
      return;
    }
    const forward = b.eqz(b.flags.direction());
    const worthIt = b.and(forward, b.geU(count, b.const64(BULK_COUNT)));
    b.if(worthIt, () => finish(b.sub(count, bulk(count)), undefined), one);
  };
  // A count of 32 bits is zero-extended even if there is nothing to do.
  const nothing = bits === 32 ? () => b.setGpr(Register.RCX, count, bits) : undefined;
  b.if(b.ne(count, b.const64(0)), several, nothing);
  // Out here, because an iteration's writes take effect at the end of its block.
  b.if(again.get(), () => b.again());
}

defineWithContext("movs", (b, [dst, src], context) => {
  const bits = addressBits(context);
  const bytes = dst.bits / 8;
  const move = (distance: Value): void => {
    advance(b, Register.RSI, distance, bits);
    advance(b, Register.RDI, distance, bits);
  };
  repeat(
    b,
    context,
    () => {
      dst.write(src.read());
      move(stepOf(b, bytes));
      return undefined;
    },
    (count) => {
      b.helper("copyString", [dst.address(), src.address(), count, b.const32(bytes)]);
      const done = b.helperResult(0, "i64");
      move(b.mul(done, b.const64(bytes)));
      return done;
    },
  );
});

defineWithContext("stos", (b, [dst, src], context) => {
  const bits = addressBits(context);
  const bytes = dst.bits / 8;
  repeat(
    b,
    context,
    () => {
      dst.write(src.read());
      advance(b, Register.RDI, stepOf(b, bytes), bits);
      return undefined;
    },
    (count) => {
      b.helper("fillString", [dst.address(), src.read(), count, b.const32(bytes)]);
      const done = b.helperResult(0, "i64");
      advance(b, Register.RDI, b.mul(done, b.const64(bytes)), bits);
      return done;
    },
  );
});

defineWithContext("lods", (b, [dst, src], context) => {
  repeat(b, context, () => {
    dst.write(src.read());
    advance(b, Register.RSI, stepOf(b, dst.bits / 8), addressBits(context));
    return undefined;
  });
});

/** Whether REPE or REPNE goes on after a comparison; undefined without a prefix. */
function comparisonGoesOn(b: Builder, context: InstructionContext, x: Value, y: Value): Value | undefined {
  switch (context.repeat) {
    case "none":
      return undefined;
    case "rep":
      return b.eq(x, y);
    case "repne":
      return b.ne(x, y);
  }
}

function compare(b: Builder, first: Operand, second: Operand, context: InstructionContext): Value | undefined {
  const x = first.read();
  const y = second.read();
  b.flags.sub(first.bits, x, y, b.sub(x, y));
  return comparisonGoesOn(b, context, x, y);
}

defineWithContext("scas", (b, [accumulator, memory], context) => {
  repeat(b, context, () => {
    const goesOn = compare(b, accumulator, memory, context);
    advance(b, Register.RDI, stepOf(b, memory.bits / 8), addressBits(context));
    return goesOn;
  });
});

defineWithContext("cmps", (b, [first, second], context) => {
  const bits = addressBits(context);
  repeat(b, context, () => {
    const goesOn = compare(b, first, second, context);
    const step = stepOf(b, first.bits / 8);
    advance(b, Register.RSI, step, bits);
    advance(b, Register.RDI, step, bits);
    return goesOn;
  });
});
