/** FXSAVE, FXRSTOR, XSAVE, XRSTOR, LDMXCSR (Intel SDM vol. 1, 10.5 and 13; vol. 2). Argument 0 is the address. */

import type { Cpu } from "../cpu.ts";
import { FXSAVE_SIZE, restoreFxsave, restoreYmm, saveFxsave, saveYmm } from "../fpu-image.ts";
import { resetFpu } from "../fpu-reset.ts";
import { defineHelper, GuestException } from "../helpers.ts";
import { CONTEXT_SIZE, GPR, MXCSR, Register, Vector, XMM, XMM_STRIDE } from "../state.ts";
import {
  XCR0_SSE,
  XCR0_X87,
  XCR0_YMM,
  XSAVE_HEADER,
  XSAVE_HEADER_SIZE,
  xsaveSize,
  YMM_COMPONENT,
} from "../xsave.ts";

const MXCSR_MASK = 0xffff;

// The parts of the legacy region (SDM vol. 1, table 10-2): x87 control and status before MXCSR and its mask.
const MXCSR_AT = 24;
const ST_AT = 32;
const XMM_AT = 160;
/** XMM and YMM registers outside of 64-bit mode: the others are neither saved nor loaded (SDM vol. 1, 10.5.1, 13.5). */
const registersOf = ({ system }: Cpu): 8 | 16 => (system === undefined || system.is64Bit ? 16 : 8);
/** Where the XMM registers end: up to here FXSAVE writes. Bytes 416…511 are left to software. */
const endOfXmm = (registers: number): number => XMM_AT + 16 * registers;

const image = new Uint8Array(xsaveSize(XCR0_X87 | XCR0_SSE | XCR0_YMM));
const imageView = new DataView(image.buffer);

function stateView(cpu: Cpu): DataView {
  const bytes = cpu.stateBytes(0, CONTEXT_SIZE);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function requireValidMxcsr(value: number): void {
  if ((value & ~MXCSR_MASK) !== 0) throw new GuestException(Vector.GP);
}

defineHelper("fxsave", (cpu) => {
  const address = cpu.argument(0);
  const registers = registersOf(cpu);
  saveFxsave(stateView(cpu), imageView, registers);
  cpu.mmu.write(address, image.subarray(0, endOfXmm(registers)));
});

defineHelper("fxrstor", (cpu) => {
  const address = cpu.argument(0);
  cpu.mmu.read(address, image.subarray(0, FXSAVE_SIZE));
  requireValidMxcsr(imageView.getUint32(MXCSR_AT, true));
  restoreFxsave(imageView, stateView(cpu), registersOf(cpu));
});

defineHelper("ldmxcsr", (cpu) => {
  requireValidMxcsr(cpu.argumentI32(0));
  cpu.setI32(MXCSR, cpu.argumentI32(0));
});

/** The requested features of EDX:EAX that exist. */
function requested(cpu: Cpu): number {
  return cpu.getI32(GPR + 8 * Register.RAX) & cpu.xcr0;
}

/** MXCSR belongs to SSE and to AVX state (SDM vol. 1, 13.5.2 and 13.5.3). */
const MXCSR_COMPONENTS = XCR0_SSE | XCR0_YMM;

/** Parts of {@link image}. */
const header = image.subarray(XSAVE_HEADER, XSAVE_HEADER + XSAVE_HEADER_SIZE);
const ymm = image.subarray(YMM_COMPONENT.offset, YMM_COMPONENT.offset + YMM_COMPONENT.size);

/** The part of the image that stands in memory for these features: without any, the header alone. */
function partFor(features: number): { readonly offset: number; readonly bytes: Uint8Array } {
  if (features === 0) return { offset: XSAVE_HEADER, bytes: header };
  return { offset: 0, bytes: image.subarray(0, xsaveSize(features)) };
}

defineHelper("xsave", (cpu) => {
  const address = cpu.argument(0);
  const features = requested(cpu);
  const { offset, bytes } = partFor(features);
  cpu.mmu.read(address + offset, bytes);
  // All components always count as in use.
  imageView.setUint32(XSAVE_HEADER, imageView.getUint32(XSAVE_HEADER, true) | features, true);
  if (features !== 0) {
    const before = image.slice();
    const state = stateView(cpu);
    const registers = registersOf(cpu);
    saveFxsave(state, imageView, registers);
    // What was not asked for stays as it is in memory.
    if ((features & XCR0_X87) === 0) copyX87(before);
    if ((features & XCR0_SSE) === 0) copyXmm(before, registers);
    if ((features & MXCSR_COMPONENTS) === 0) image.set(before.subarray(MXCSR_AT, MXCSR_AT + 8), MXCSR_AT);
    if ((features & XCR0_YMM) !== 0) saveYmm(state, ymm, registers);
  }
  cpu.mmu.write(address + offset, bytes);
});

/** Into the image: the x87 component. */
function copyX87(from: Uint8Array): void {
  image.set(from.subarray(0, MXCSR_AT));
  image.set(from.subarray(ST_AT, XMM_AT), ST_AT);
}

/** Into the image: the SSE component but for MXCSR and its mask, which stand amid the x87 component. */
function copyXmm(from: Uint8Array, registers: number): void {
  image.set(from.subarray(XMM_AT, endOfXmm(registers)), XMM_AT);
}

defineHelper("xrstor", (cpu) => {
  const features = requested(cpu);
  const { offset, bytes } = partFor(features);
  cpu.mmu.read(cpu.argument(0) + offset, bytes);
  const present = imageView.getUint32(XSAVE_HEADER, true);
  // XSTATE_BV must name enabled features only; XCOMP_BV and the rest of the header must be zero in the standard form.
  for (let at = XSAVE_HEADER + 4; at < XSAVE_HEADER + 24; at++)
    if (image[at] !== 0) throw new GuestException(Vector.GP);
  if ((present & ~cpu.xcr0) !== 0) throw new GuestException(Vector.GP);
  const mxcsr = imageView.getUint32(MXCSR_AT, true);
  if ((features & MXCSR_COMPONENTS) !== 0) requireValidMxcsr(mxcsr);

  const state = stateView(cpu);
  const registers = registersOf(cpu);
  const loaded = image.slice();
  saveFxsave(state, imageView); // what is not requested stays
  if ((features & present & XCR0_X87) !== 0) copyX87(loaded);
  if ((features & present & XCR0_SSE) !== 0) copyXmm(loaded, registers);
  // MXCSR is loaded whether its components are present or not.
  if ((features & MXCSR_COMPONENTS) !== 0) imageView.setUint32(MXCSR_AT, mxcsr, true);
  restoreFxsave(imageView, state);
  if ((features & XCR0_YMM) !== 0) restoreYmm((present & XCR0_YMM) !== 0 ? ymm : undefined, state, registers);
  if ((features & ~present & XCR0_X87) !== 0) resetFpu(cpu);
  if ((features & ~present & XCR0_SSE) !== 0) {
    for (let index = 0; index < registers; index++) cpu.stateBytes(XMM + index * XMM_STRIDE, 16).fill(0);
  }
});
