/** Division of 128 by 64 bits: dividend in slots 0 (low) and 1 (high), divisor in 2; quotient to 0, remainder to 1. */

import type { Cpu } from "../cpu.ts";
import { defineHelper, GuestException } from "../helpers.ts";
import { Vector } from "../state.ts";

function divide(cpu: Cpu, dividend: bigint, divisor: bigint, fits: (quotient: bigint) => boolean): void {
  if (divisor === 0n) throw new GuestException(Vector.DE);
  const quotient = dividend / divisor;
  if (!fits(quotient)) throw new GuestException(Vector.DE);
  cpu.setResult64(0, quotient);
  cpu.setResult64(1, dividend - quotient * divisor);
}

defineHelper("divideUnsigned128", (cpu) => {
  const dividend = (cpu.argument64(1) << 64n) | cpu.argument64(0);
  divide(cpu, dividend, cpu.argument64(2), (quotient) => quotient >> 64n === 0n);
});

defineHelper("divideSigned128", (cpu) => {
  const dividend = (BigInt.asIntN(64, cpu.argument64(1)) << 64n) | cpu.argument64(0);
  const divisor = BigInt.asIntN(64, cpu.argument64(2));
  divide(cpu, dividend, divisor, (quotient) => quotient === BigInt.asIntN(64, quotient));
});
