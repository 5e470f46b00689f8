/** Bit tests, scans and counts, and CRC32: Intel SDM vol. 2, BT…BTC, BSF, BSR, TZCNT, LZCNT, POPCNT, CRC32. */

import type { Builder } from "../../ir/builder.ts";
import { linearAddress, type Operand } from "../../ir/operand.ts";
import type { Value } from "../../ir/value.ts";
import { define, defineWithContext, type InstructionContext } from "../registry.ts";

const KIND = { 16: "u16", 32: "u32", 64: "u64" } as const;

/**
 * Address of the word that holds bit `offset` (signed, 64 bits) of a bit string in memory: the bit offset in a register
 * may lead anywhere (SDM vol. 2, 3.1.1.9, figure 3-2).
 */
function bitStringAddress(
  b: Builder,
  base: Operand,
  offset: Value,
  { addressSize, codeSize }: InstructionContext,
): Value {
  const bytes = base.bits / 8;
  const distance = b.mul(b.sarBy(offset, Math.log2(base.bits)), b.const64(bytes));
  if (addressSize === 64) return b.add(base.address(), distance);
  const place = b.zext(b.add(base.effectiveAddress(), distance), addressSize);
  const segment = b.encoded("segmentBase");
  return codeSize === 64 ? b.add(segment, place) : linearAddress(b, segment, place, addressSize);
}

/** CF becomes the selected bit; `update` makes the new word from the old one and the bit's mask. */
function defineBitTest(mnemonic: string, update?: (b: Builder, word: Value, mask: Value) => Value): void {
  defineWithContext(mnemonic, (b, [base, index], context) => {
    const bits = base.bits === 16 ? 16 : base.bits === 32 ? 32 : 64;
    const offset = index.read();
    const position = b.and(offset, b.const64(bits - 1));
    const mask = b.shl(b.const64(1), position);
    let word: Value;
    let write = (value: Value): void => base.write(value);
    if (base.isMemory && index.kind === "gpr") {
      const address = bitStringAddress(b, base, b.sext(offset, bits), context);
      if (update === undefined) word = b.load(address, KIND[bits]);
      else ({ value: word, write } = b.modify(address, KIND[bits]));
    } else word = base.read();
    b.flags.setCarry(b.and(b.wrap(b.shr(word, position)), b.const32(1)));
    if (update !== undefined) write(update(b, word, mask));
  });
}

defineBitTest("bt");
defineBitTest("bts", (b, word, mask) => b.or(word, mask));
defineBitTest("btr", (b, word, mask) => b.and(word, b.not(mask)));
defineBitTest("btc", (b, word, mask) => b.xor(word, mask));

/**
 * BSF, BSR: of a zero source the destination stays as it is, all 64 bits of it. Besides ZF the flags are undefined;
 * Intel's processors take SF and PF from the index and clear the rest.
 */
function defineScan(mnemonic: string, scan: (b: Builder, x: Value) => Value): void {
  define(mnemonic, (b, dst, src) => {
    const x = src.read();
    const index = b.and(scan(b, x), b.const64(63));
    const zero = b.const32(0);
    b.flags.setParts(x, index, zero, zero);
    const written = dst.bits === 16 ? 16 : 64;
    b.setGpr(dst.register, b.select(b.eqz(x), b.gpr(dst.register, written), index), written);
  });
}

defineScan("bsf", (b, x) => b.ctz(x));
defineScan("bsr", (b, x) => b.sub(b.const64(63), b.clz(x)));

/** Counts: ZF is that of the result, SF, OF, AF and PF are clear. */
function writeCount(b: Builder, dst: Operand, count: Value, carry: Value): void {
  b.flags.setParts(count, b.const64(1), carry, b.const32(0));
  dst.write(count);
}

define("tzcnt", (b, dst, src) => {
  const x = src.read();
  const bounded = dst.bits === 64 ? x : b.or(x, b.const64(1n << BigInt(dst.bits)));
  writeCount(b, dst, b.ctz(bounded), b.eqz(x));
});

define("lzcnt", (b, dst, src) => {
  const x = src.read();
  writeCount(b, dst, b.sub(b.clz(x), b.const64(64 - dst.bits)), b.eqz(x));
});

define("popcnt", (b, dst, src) => writeCount(b, dst, b.popcnt(src.read()), b.const32(0)));

define("crc32", (b, dst, src) => {
  b.helper("crc32c", [b.wrap(dst.read()), src.read(), b.const32(src.bits / 8)], false);
  dst.write(b.helperResult(0, "i64"));
});
