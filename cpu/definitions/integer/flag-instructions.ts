/** Instructions on flags themselves: Intel SDM vol. 2, CLC, STC, CMC, CLD, STD, LAHF, SAHF. */

import type { RegisterRef } from "../../ir/value.ts";
import { FLAGS_OTHER, Flag, Register } from "../../state.ts";
import { define } from "../registry.ts";

const AH: RegisterRef = { fixed: Register.RAX, high: true };

define("clc", (b) => b.flags.setCarry(b.const32(0)));
define("stc", (b) => b.flags.setCarry(b.const32(1)));
define("cmc", (b) => b.flags.setCarry(b.xor(b.flags.carry(), b.const32(1))));

define("cld", (b) => {
  b.setField(FLAGS_OTHER, "i32", b.and(b.field(FLAGS_OTHER, "i32"), b.const32(~Flag.DF)));
});

define("std", (b) => {
  b.setField(FLAGS_OTHER, "i32", b.or(b.field(FLAGS_OTHER, "i32"), b.const32(Flag.DF)));
});

define("lahf", (b) => b.setGpr(AH, b.flags.readAll(), 8));

define("sahf", (b) => {
  const overflow = b.shlBy(b.extendU(b.flags.overflow()), 11);
  b.flags.writeAll(b.or(b.gpr(AH, 8), overflow), 0);
});
