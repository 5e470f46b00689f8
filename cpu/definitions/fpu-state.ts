/** Saving and restoring x87 and SSE state; MXCSR (Intel SDM vol. 1, 10.5 and 13). */

import type { Builder } from "../ir/builder.ts";
import type { Operand } from "../ir/operand.ts";
import type { Value } from "../ir/value.ts";
import { MXCSR, Register } from "../state.ts";
import { XCR0_YMM, YMM_COMPONENT } from "../xsave.ts";
import { type AreaField, requireReadable, requireWritable } from "./area.ts";
import { define } from "./registry.ts";

/** What is touched first and then: the end of the legacy region and its start. */
const FXSAVE_AREA = [
  [511, "u8"],
  [0, "u8"],
] as const satisfies AreaField[];

/** What XSAVE and XRSTOR touch first: the end of the header, or of what XRSTOR reads of it. */
const XSAVE_HEADER: AreaField = [575, "u8"];
const XRSTOR_HEADER: AreaField = [520, "u64"];
/** The end of the YMM component. */
const YMM_END = YMM_COMPONENT.offset + YMM_COMPONENT.size - 1;

/**
 * Then the components: where x87 state is asked for (EAX bit 0) the start of the legacy region, else where SSE or AVX state
 * is (bits 1 and 2) MXCSR; and with AVX state the end of its component.
 */
function requireComponents(
  b: Builder,
  address: Value,
  require: (b: Builder, address: Value, fields: readonly AreaField[]) => void,
): void {
  const features = b.wrap(b.gpr(Register.RAX, 32));
  const x87 = b.and(features, b.const32(1));
  const mxcsr = b.or(b.shrBy(features, 1), b.shrBy(features, 2));
  b.if(x87, () => require(b, address, [[0, "u8"]]));
  b.if(b.and(b.and(mxcsr, b.eqz(x87)), b.const32(1)), () => require(b, address, [[24, "u32"]]));
  b.helper("xcr0", [], false);
  const ymm = b.and(b.and(features, b.wrap(b.helperResult(0, "i64"))), b.const32(XCR0_YMM));
  b.if(ymm, () => require(b, address, [[YMM_END, "u8"]]));
}

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
    requireWritable(b, address, [XSAVE_HEADER]);
    requireComponents(b, address, requireWritable);
    b.helper("xsave", [address], false);
  },
  xrstor: (b, area) => {
    const address = area.address();
    b.requireAligned(address, 64);
    requireReadable(b, address, [XRSTOR_HEADER]);
    requireComponents(b, address, requireReadable);
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
