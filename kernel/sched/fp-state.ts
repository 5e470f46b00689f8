/**
 * The floating-point state in a signal frame (struct _xstate, asm/sigcontext.h): an XSAVE area in the standard format, in
 * whose legacy region Linux describes what follows, and an end marker (arch/x86/kernel/fpu/signal.c).
 */

import { FXSAVE_SIZE, restoreFxsave, restoreYmm, saveFxsave, saveYmm } from "../../cpu/fpu-image.ts";
import { resetFpuState } from "../../cpu/fpu-reset.ts";
import { MXCSR, XMM, XMM_STRIDE } from "../../cpu/state.ts";
import { XCR0_SSE, XCR0_X87, XCR0_YMM, XSAVE_HEADER, xsaveSize, YMM_COMPONENT } from "../../cpu/xsave.ts";
import type { UserMemory } from "../mm/user-memory.ts";

const FP_XSTATE_MAGIC1 = 0x46505853;
const FP_XSTATE_MAGIC2 = 0x46505845;
const FP_XSTATE_MAGIC2_SIZE = 4;
/** struct _fpx_sw_bytes: bytes 464…511 of the legacy region. */
const SW_RESERVED = 464;
const SW_EXTENDED_SIZE = SW_RESERVED + 4;
const SW_XFEATURES = SW_RESERVED + 8;
const SW_XSTATE_SIZE = SW_RESERVED + 16;
const MXCSR_AT = 24;
const MXCSR_MASK = 0xffff;
/** At reset: all exceptions masked, round to nearest (SDM vol. 1, 10.2.3). */
const MXCSR_INIT = 0x1f80;

/** @param xfeatures state components, as in XCR0 */
export function fpStateSize(xfeatures: number): number {
  return xsaveSize(xfeatures) + FP_XSTATE_MAGIC2_SIZE;
}

/** Fills in the frame's {@link fpStateSize} bytes. */
export function saveFpState(state: DataView, xfeatures: number, into: Uint8Array): void {
  const size = xsaveSize(xfeatures);
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  saveFxsave(state, view);
  view.setUint32(SW_RESERVED, FP_XSTATE_MAGIC1, true);
  view.setUint32(SW_EXTENDED_SIZE, fpStateSize(xfeatures), true);
  view.setBigUint64(SW_XFEATURES, BigInt(xfeatures), true);
  view.setUint32(SW_XSTATE_SIZE, size, true);
  view.setBigUint64(XSAVE_HEADER, BigInt(xfeatures), true);
  if ((xfeatures & XCR0_YMM) !== 0) saveYmm(state, componentOf(into));
  view.setUint32(size, FP_XSTATE_MAGIC2, true);
}

function componentOf(area: Uint8Array): Uint8Array {
  return area.subarray(YMM_COMPONENT.offset, YMM_COMPONENT.offset + YMM_COMPONENT.size);
}

/** The state of a program that begins: what a frame without one stands for. */
export function resetFpState(state: DataView): void {
  resetFpuState(state);
  clearXmm(state);
  restoreYmm(undefined, state);
  state.setInt32(MXCSR, MXCSR_INIT, true);
}

/** What a frame says of the state that it holds. */
interface Description {
  /** Bytes of the XSAVE area; {@link FXSAVE_SIZE} where there is only the legacy region. */
  readonly size: number;
  readonly xfeatures: number;
}

/** As check_xstate_in_sigframe(): a frame that does not describe itself soundly has the legacy region only. */
function describe(memory: UserMemory, address: number, legacy: DataView, available: number): Description {
  const legacyOnly = { size: FXSAVE_SIZE, xfeatures: XCR0_X87 | XCR0_SSE };
  const size = legacy.getUint32(SW_XSTATE_SIZE, true);
  const extended = legacy.getUint32(SW_EXTENDED_SIZE, true);
  if (legacy.getUint32(SW_RESERVED, true) !== FP_XSTATE_MAGIC1) return legacyOnly;
  if (size < XSAVE_HEADER + 64 || size > xsaveSize(available) || size > extended) return legacyOnly;
  if (!memory.check(address + size, FP_XSTATE_MAGIC2_SIZE, false)) return legacyOnly;
  const marker = memory.read(address + size, FP_XSTATE_MAGIC2_SIZE);
  if (new DataView(marker.buffer, marker.byteOffset).getUint32(0, true) !== FP_XSTATE_MAGIC2)
    return legacyOnly;
  return { size, xfeatures: Number(legacy.getBigUint64(SW_XFEATURES, true) & BigInt(available)) };
}

/**
 * Loads the state from a frame, which is whatever the program left there.
 * @param available the processor's state components, as in XCR0
 * @returns false where Linux would kill the program: the frame cannot be read, or XRSTOR would refuse it
 */
export function restoreFpState(
  state: DataView,
  available: number,
  memory: UserMemory,
  address: number,
): boolean {
  if (!memory.check(address, FXSAVE_SIZE, false)) return false;
  const legacy = memory.read(address, FXSAVE_SIZE);
  const { size, xfeatures } = describe(memory, address, viewOf(legacy), available);
  if (size === FXSAVE_SIZE) {
    if ((viewOf(legacy).getUint32(MXCSR_AT, true) & ~MXCSR_MASK) !== 0) return false;
    restoreFxsave(viewOf(legacy), state);
    restoreYmm(undefined, state);
    return true;
  }
  if (!memory.check(address, size, false)) return false;
  const area = memory.read(address, size);
  const view = viewOf(area);
  const present = view.getUint32(XSAVE_HEADER, true);
  // XRSTOR: SDM vol. 1, 13.8.
  if (
    (present & ~available) !== 0 ||
    area.subarray(XSAVE_HEADER + 4, XSAVE_HEADER + 24).some((byte) => byte !== 0)
  )
    return false;
  const mxcsr = view.getUint32(MXCSR_AT, true);
  if ((xfeatures & (XCR0_SSE | XCR0_YMM)) !== 0 && (mxcsr & ~MXCSR_MASK) !== 0) return false;
  const loaded = present & xfeatures;
  restoreFxsave(view, state);
  if ((loaded & XCR0_X87) === 0) resetFpuState(state);
  if ((loaded & XCR0_SSE) === 0) clearXmm(state);
  if ((xfeatures & (XCR0_SSE | XCR0_YMM)) === 0) state.setInt32(MXCSR, MXCSR_INIT, true);
  restoreYmm((loaded & XCR0_YMM) !== 0 ? componentOf(area) : undefined, state);
  return true;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function clearXmm(state: DataView): void {
  for (let index = 0; index < 16; index++) {
    for (let byte = 0; byte < 16; byte += 8) state.setBigUint64(XMM + index * XMM_STRIDE + byte, 0n, true);
  }
}
