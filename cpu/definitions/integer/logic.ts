/** Bitwise logic: Intel SDM vol. 2, AND, OR, XOR, TEST, NOT. */

import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/value.ts";
import { define } from "../registry.ts";

const OPERATIONS = {
  and: (b, x, y) => b.and(x, y),
  or: (b, x, y) => b.or(x, y),
  xor: (b, x, y) => b.xor(x, y),
} satisfies Record<string, (b: Builder, x: Value, y: Value) => Value>;

for (const [mnemonic, operation] of Object.entries(OPERATIONS)) {
  define(mnemonic, (b, dst, src) => {
    const result = operation(b, dst.read(), src.read());
    b.flags.logic(dst.bits, result);
    dst.write(result);
  });
}

define("test", (b, first, second) => {
  b.flags.logic(first.bits, b.and(first.read(), second.read()));
});

define("not", (b, dst) => {
  dst.write(b.not(dst.read()));
});
