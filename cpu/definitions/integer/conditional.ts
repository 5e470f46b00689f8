/** SETcc and CMOVcc: Intel SDM vol. 2. */

import { CONDITION_SUFFIXES, type ConditionCode } from "../../ir/flags.ts";
import { define } from "../registry.ts";

CONDITION_SUFFIXES.forEach((suffix, index) => {
  const code = index as ConditionCode;

  define(`set${suffix}`, (b, dst) => dst.write(b.extendU(b.flags.condition(code))));

  // The source is read in any case, and a 32-bit destination's upper half cleared.
  define(`cmov${suffix}`, (b, dst, src) => {
    const value = src.read();
    dst.write(b.select(b.flags.condition(code), value, dst.read()));
  });
});
