/** Instructions that 64-bit mode does not have: Intel SDM vol. 2, AAA…AAS, DAA, DAS, BOUND, INTO, ARPL, SALC. */

import { Exit } from "../../engine.ts";
import { Register, Vector } from "../../state.ts";
import { define } from "../registry.ts";

/** The helpers take AX and the flags, and return both. */
for (const mnemonic of ["aaa", "aas", "daa", "das"]) {
  define(mnemonic, (b) => {
    b.helper(mnemonic, [b.wrap(b.gpr(Register.RAX, 16)), b.wrap(b.flags.readAll())], false);
    b.setGpr(Register.RAX, b.helperResult(0, "i64"), 16);
    b.flags.writeAll(b.helperResult(1, "i64"), 0);
  });
}

define("aam", (b, base) => {
  const divisor = base.read();
  b.if(b.eqz(divisor), () => b.exception(Vector.DE, 0));
  const al = b.gpr(Register.RAX, 8);
  const rest = b.op("i64.rem_u", al, divisor);
  b.setGpr(Register.RAX, b.or(b.shlBy(b.op("i64.div_u", al, divisor), 8), rest), 16);
  b.flags.logic(8, rest);
});

define("aad", (b, base) => {
  const ax = b.gpr(Register.RAX, 16);
  const sum = b.zext(b.add(b.mul(b.shrBy(ax, 8), base.read()), b.zext(ax, 8)), 8);
  b.setGpr(Register.RAX, sum, 16);
  b.flags.logic(8, sum);
});

/** AL becomes all ones or zeros, by CF. */
define("salc", (b) => b.setGpr(Register.RAX, b.neg(b.extendU(b.flags.carry())), 8));

define("into", (b) => {
  // The trap is behind the instruction: the helper notes it, if OF is set.
  b.helper("into", [b.flags.overflow()]);
  b.exit(Exit.Attention);
});

define("bound", (b, index, bounds) => {
  const bits = index.bits === 16 ? 16 : 32;
  const kind = bits === 16 ? "u16" : "u32";
  const address = bounds.address();
  const lower = b.sext(b.load(address, kind), bits);
  const upper = b.sext(b.load(b.add(address, b.const64(bits / 8)), kind), bits);
  const value = b.sext(index.read(), bits);
  b.if(b.or(b.ltS(value, lower), b.gtS(value, upper)), () => b.exception(Vector.BR, 0));
});

define("arpl", (b, dst, src) => {
  const x = dst.read();
  const level = b.and(src.read(), b.const64(3));
  const lower = b.ltU(b.and(x, b.const64(3)), level);
  dst.write(b.select(lower, b.or(b.and(x, b.const64(~3)), level), x));
  b.flags.setZero(lower);
});
