/** Saving and restoring x87 and SSE state; MXCSR (Intel SDM vol. 1, 10.5 and 13). */

import type { Builder } from "../ir/builder.ts";
import type { Operand } from "../ir/operand.ts";
import { MXCSR } from "../state.ts";
import { type AreaField, requireReadable, requireWritable } from "./area.ts";
import { define } from "./registry.ts";

/** What is touched first: the end of the legacy region, or of the XSAVE header (of which XRSTOR reads less). */
const START: AreaField = [0, "u8"];
const FXSAVE_AREA = [[511, "u8"], START] as const;
const XSAVE_AREA = [[575, "u8"], START] as const;
const XRSTOR_AREA = [[520, "u8"], START] as const;

type Area = (b: Builder, area: Operand) => void;
const DEFINITIONS: Readonly<Record<string, Area>> = {
  fxsave: (b, area) => {
    const address = area.address();
    b.requireAligned(address, 16);
    requireWritable(b, address, FXSAVE_AREA);
    b.helper("fxsave", [address], false);
  },
  fxrstor: (b, area) => {
    const address = area.address();
    b.requireAligned(address, 16);
    requireReadable(b, address, FXSAVE_AREA);
    b.helper("fxrstor", [address]);
  },
  xsave: (b, area) => {
    const address = area.address();
    b.requireAligned(address, 64);
    requireWritable(b, address, XSAVE_AREA);
    b.helper("xsave", [address], false);
  },
  xrstor: (b, area) => {
    const address = area.address();
    b.requireAligned(address, 64);
    requireReadable(b, address, XRSTOR_AREA);
    b.helper("xrstor", [address]);
  },
};
for (const [mnemonic, definition] of Object.entries(DEFINITIONS)) {
  define(mnemonic, definition);
  // With REX.W the instruction and data pointers have 64 bits; here they always have.
  define(`${mnemonic}64`, definition);
}
define("ldmxcsr", (b, src) => b.helper("ldmxcsr", [b.wrap(src.read())]));
define("stmxcsr", (b, dst) => dst.write(b.extendU(b.field(MXCSR, "i32"))));
