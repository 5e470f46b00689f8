/** Division: Intel SDM vol. 2, DIV, IDIV. #DE for a zero divisor and for quotients that do not fit. No flag changes. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { Register, Vector } from "../../state.ts";
import { define } from "../registry.ts";

function raiseIf(b: Builder, condition: Value): void {
  b.if(condition, () => b.exception(Vector.DE, 0));
}

/** rDX:rAX (AX for bytes) as an i64, for operands of up to 32 bits. */
function dividend(b: Builder, bits: 8 | 16 | 32): Value {
  if (bits === 8) return b.gpr(Register.RAX, 16);
  return b.or(b.shlBy(b.gpr(Register.RDX, bits), bits), b.gpr(Register.RAX, bits));
}

function writeResult(b: Builder, bits: 8 | 16 | 32 | 64, quotient: Value, remainder: Value): void {
  if (bits === 8) {
    b.setGpr(Register.RAX, b.or(b.zext(quotient, 8), b.shlBy(b.zext(remainder, 8), 8)), 16);
  } else {
    b.setGpr(Register.RAX, quotient, bits);
    b.setGpr(Register.RDX, remainder, bits);
  }
}

function unsignedNarrow(b: Builder, bits: 8 | 16 | 32, y: Value): void {
  const x = dividend(b, bits);
  raiseIf(b, b.eqz(y));
  const quotient = b.op("i64.div_u", x, y);
  raiseIf(b, b.ne(b.shrBy(quotient, bits), b.const64(0)));
  writeResult(b, bits, quotient, b.op("i64.rem_u", x, y));
}

function signedNarrow(b: Builder, bits: 8 | 16 | 32, divisor: Value): void {
  const unextended = dividend(b, bits);
  const x = bits === 32 ? unextended : b.sext(unextended, 2 * bits);
  const y = b.sext(divisor, bits);
  raiseIf(b, b.eqz(y));
  // The one quotient that WebAssembly itself refuses.
  if (bits === 32) {
    raiseIf(b, b.and(b.eq(x, b.const64(1n << 63n)), b.eq(y, b.const64(-1))));
  }
  const quotient = b.op("i64.div_s", x, y);
  raiseIf(b, b.ne(quotient, b.sext(quotient, bits)));
  writeResult(b, bits, quotient, b.op("i64.rem_s", x, y));
}

/**
 * 128-bit dividends: nearly always only the extension of 64 bits, which WebAssembly divides; the others go to a helper,
 * which returns quotient and remainder or raises #DE.
 */
function wide(b: Builder, y: Value, signed: boolean): void {
  const low = b.gpr(Register.RAX);
  const high = b.gpr(Register.RDX);
  raiseIf(b, b.eqz(y));
  const quotient = b.variable(b.const64(0));
  const remainder = b.variable(b.const64(0));
  let narrow = b.eq(high, signed ? b.sarBy(low, 63) : b.const64(0));
  if (signed) {
    const refused = b.and(b.eq(low, b.const64(1n << 63n)), b.eq(y, b.const64(-1)));
    narrow = b.and(narrow, b.eqz(refused));
  }
  b.if(
    narrow,
    () => {
      quotient.set(b.op(signed ? "i64.div_s" : "i64.div_u", low, y));
      remainder.set(b.op(signed ? "i64.rem_s" : "i64.rem_u", low, y));
    },
    () => {
      b.helper(signed ? "divideSigned128" : "divideUnsigned128", [low, high, y]);
      quotient.set(b.helperResult(0, "i64"));
      remainder.set(b.helperResult(1, "i64"));
    },
  );
  writeResult(b, 64, quotient.get(), remainder.get());
}

define("div", (b, src) => {
  const y = src.read();
  if (src.bits === 64) wide(b, y, false);
  else unsignedNarrow(b, src.bits === 8 ? 8 : src.bits === 16 ? 16 : 32, y);
});

define("idiv", (b, src) => {
  const y = src.read();
  if (src.bits === 64) wide(b, y, true);
  else signedNarrow(b, src.bits === 8 ? 8 : src.bits === 16 ? 16 : 32, y);
});
