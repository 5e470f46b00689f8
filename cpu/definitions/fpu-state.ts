/** Saving and restoring x87 and SSE state; MXCSR. */

import { MXCSR } from "../state.ts";
import { define } from "./registry.ts";

for (const suffix of ["", "64"]) {
  for (const mnemonic of ["fxsave", "fxrstor", "xsave", "xrstor"]) {
    define(`${mnemonic}${suffix}`, (b, area) => b.helper(mnemonic, [area.address()]));
  }
}
define("ldmxcsr", (b, src) => b.helper("ldmxcsr", [b.wrap(src.read())]));
define("stmxcsr", (b, dst) => dst.write(b.extendU(b.field(MXCSR, "i32"))));
