/**
 * The FXSAVE image (Intel SDM vol. 1, 10.5.1), and the upper halves of the YMM registers as XSAVE keeps them: what save
 * areas and signal frames consist of.
 */

import {
  MXCSR,
  X87,
  X87_CONTROL,
  X87_DATA,
  X87_INSTRUCTION,
  X87_OPCODE,
  X87_STATUS,
  X87_STRIDE,
  X87_TAGS,
  X87_TOP,
  XMM,
  XMM_STRIDE,
  YMM_HIGH,
} from "./state.ts";
import { YMM_COMPONENT } from "./xsave.ts";

export const FXSAVE_SIZE = 512;
/** MXCSR bits that can be set. */
const MXCSR_MASK = 0xffff;
const REGISTERS_AT = 32;
const XMM_AT = 160;
/** XMM0…XMM15, YMM0…YMM15; outside of 64-bit mode there are eight. */
const REGISTERS = 16;
const TOP_SHIFT = 11;
const TOP_MASK = 7 << TOP_SHIFT;

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/**
 * Writes the 512 bytes. Bytes 464…511 belong to software and stay as they are.
 * @param registers how many XMM registers are saved; the places of the others stay as they are
 */
export function saveFxsave(state: DataView, image: DataView, registers = REGISTERS): void {
  const top = state.getInt32(X87_TOP, true) & 7;
  image.setUint16(0, state.getInt32(X87_CONTROL, true), true);
  image.setUint16(2, state.getInt32(X87_STATUS, true) | (top << TOP_SHIFT), true);
  image.setUint8(4, state.getInt32(X87_TAGS, true));
  image.setUint8(5, 0);
  image.setUint16(6, state.getInt32(X87_OPCODE, true), true);
  image.setBigInt64(8, state.getBigInt64(X87_INSTRUCTION, true), true);
  image.setBigInt64(16, state.getBigInt64(X87_DATA, true), true);
  image.setUint32(24, state.getInt32(MXCSR, true), true);
  image.setUint32(28, MXCSR_MASK, true);
  const from = bytesOf(state);
  const to = bytesOf(image);
  for (let index = 0; index < 8; index++) {
    const register = X87 + ((top + index) & 7) * X87_STRIDE;
    const at = REGISTERS_AT + index * 16;
    to.fill(0, at, at + 16);
    to.set(from.subarray(register, register + 10), at);
  }
  for (let index = 0; index < registers; index++) {
    const register = XMM + index * XMM_STRIDE;
    to.set(from.subarray(register, register + 16), XMM_AT + index * 16);
  }
}

/** Loads the image; bits that cannot be set are dropped. @param registers how many XMM registers are loaded */
export function restoreFxsave(image: DataView, state: DataView, registers = REGISTERS): void {
  const status = image.getUint16(2, true);
  const top = (status & TOP_MASK) >>> TOP_SHIFT;
  state.setInt32(X87_CONTROL, image.getUint16(0, true), true);
  state.setInt32(X87_STATUS, status & ~TOP_MASK, true);
  state.setInt32(X87_TOP, top, true);
  state.setInt32(X87_TAGS, image.getUint8(4), true);
  state.setInt32(X87_OPCODE, image.getUint16(6, true) & 0x7ff, true);
  state.setBigInt64(X87_INSTRUCTION, image.getBigInt64(8, true), true);
  state.setBigInt64(X87_DATA, image.getBigInt64(16, true), true);
  state.setInt32(MXCSR, image.getUint32(24, true) & MXCSR_MASK, true);
  const from = bytesOf(image);
  const to = bytesOf(state);
  for (let index = 0; index < 8; index++) {
    const register = X87 + ((top + index) & 7) * X87_STRIDE;
    const at = REGISTERS_AT + index * 16;
    to.set(from.subarray(at, at + 10), register);
  }
  for (let index = 0; index < registers; index++) {
    const at = XMM_AT + index * 16;
    to.set(from.subarray(at, at + 16), XMM + index * XMM_STRIDE);
  }
}

/** Writes the YMM component: the upper halves of YMM0…YMM15. */
export function saveYmm(state: DataView, component: Uint8Array, registers = REGISTERS): void {
  const from = bytesOf(state);
  for (let index = 0; index < registers; index++) {
    const register = XMM + index * XMM_STRIDE + YMM_HIGH;
    component.set(from.subarray(register, register + 16), index * 16);
  }
}

/** Loads the YMM component; without one, its initial configuration: zeros. */
export function restoreYmm(component: Uint8Array | undefined, state: DataView, registers = REGISTERS): void {
  const source = component ?? NO_YMM;
  const to = bytesOf(state);
  for (let index = 0; index < registers; index++) {
    to.set(source.subarray(index * 16, index * 16 + 16), XMM + index * XMM_STRIDE + YMM_HIGH);
  }
}

const NO_YMM = new Uint8Array(YMM_COMPONENT.size);
