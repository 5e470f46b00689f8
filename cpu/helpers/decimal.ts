/** Decimal arithmetic: Intel SDM vol. 2, DAA, DAS, AAA, AAS. Slots: AX and the flags, in and out. */

import { defineHelper } from "../helpers.ts";
import { Flag } from "../state.ts";

type Adjustment = (ax: number, flags: number) => { ax: number; carry: boolean; adjust: boolean };

/** SF, ZF and PF of AL. OF is undefined; it becomes 0. */
function resultFlags(al: number): number {
  let parity = al ^ (al >> 4);
  parity = (0x9669 >> (parity & 15)) & 1;
  return (al === 0 ? Flag.ZF : 0) | (al & Flag.SF) | (parity !== 0 ? Flag.PF : 0);
}

function defineAdjustment(name: string, adjustment: Adjustment): void {
  defineHelper(name, (cpu) => {
    const { ax, carry, adjust } = adjustment(cpu.argumentI32(0) & 0xffff, cpu.argumentI32(1));
    cpu.setResult(0, ax & 0xffff);
    cpu.setResult(1, resultFlags(ax & 0xff) | (carry ? Flag.CF : 0) | (adjust ? Flag.AF : 0));
  });
}

/** DAA adds, DAS subtracts 6 to each half of AL where it has left the digits 0…9. */
for (const [name, sign] of [
  ["daa", 1],
  ["das", -1],
] as const) {
  defineAdjustment(name, (ax, flags) => {
    const old = ax & 0xff;
    let al = old;
    let carry = false;
    const adjust = (old & 15) > 9 || (flags & Flag.AF) !== 0;
    if (adjust) {
      al += 6 * sign;
      // DAS borrows here; the carry of DAA into bit 8 sets CF below anyway.
      carry = (flags & Flag.CF) !== 0 || al < 0 || al > 0xff;
    }
    if (old > 0x99 || (flags & Flag.CF) !== 0) {
      al += 0x60 * sign;
      carry = true;
    }
    return { ax: (ax & 0xff00) | (al & 0xff), carry, adjust };
  });
}

/** AAA and AAS leave one digit in AL and move the carry into AH. */
for (const [name, sign] of [
  ["aaa", 1],
  ["aas", -1],
] as const) {
  defineAdjustment(name, (ax, flags) => {
    const adjust = (ax & 15) > 9 || (flags & Flag.AF) !== 0;
    const adjusted = adjust ? ax + sign * 0x106 : ax;
    return { ax: adjusted & 0xff0f, carry: adjust, adjust };
  });
}
