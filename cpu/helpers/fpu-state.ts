/** FXSAVE, FXRSTOR, XSAVE, XRSTOR, LDMXCSR (Intel SDM vol. 1, 10.5 and 13; vol. 2). Argument 0 is the address. */

import type { Cpu } from "../cpu.ts";
import { FXSAVE_SIZE, restoreFxsave, saveFxsave } from "../fpu-image.ts";
import { resetFpu } from "../fpu-reset.ts";
import { defineHelper, GuestException } from "../helpers.ts";
import { CONTEXT_SIZE, GPR, MXCSR, Register, Vector, XMM, XMM_STRIDE } from "../state.ts";

const XSAVE_HEADER = 512;
const XSAVE_HEADER_SIZE = 64;
const MXCSR_MASK = 0xffff;
/** XCR0: x87 and SSE. */
export const XCR0 = 3;
const X87_COMPONENT = 1;
const SSE_COMPONENT = 2;

/** Bytes that FXSAVE writes: 416…511 are left to software. */
const FXSAVE_WRITTEN = 416;

const image = new Uint8Array(FXSAVE_SIZE + XSAVE_HEADER_SIZE);
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
  saveFxsave(stateView(cpu), imageView);
  cpu.mmu.write(address, image.subarray(0, FXSAVE_WRITTEN));
});

defineHelper("fxrstor", (cpu) => {
  const address = cpu.argument(0);
  cpu.mmu.read(address, image.subarray(0, FXSAVE_SIZE));
  requireValidMxcsr(imageView.getUint32(24, true));
  restoreFxsave(imageView, stateView(cpu));
});

defineHelper("ldmxcsr", (cpu) => {
  requireValidMxcsr(cpu.argumentI32(0));
  cpu.setI32(MXCSR, cpu.argumentI32(0));
});

/** The requested features of EDX:EAX that exist. */
function requested(cpu: Cpu): number {
  return cpu.getI32(GPR + 8 * Register.RAX) & XCR0;
}

defineHelper("xsave", (cpu) => {
  const address = cpu.argument(0);
  const features = requested(cpu);
  const area = image.subarray(0, XSAVE_HEADER + XSAVE_HEADER_SIZE);
  cpu.mmu.read(address, area);
  const before = area.slice();
  saveFxsave(stateView(cpu), imageView);
  // What was not asked for stays as it is in memory: x87 is bytes 0…23 and 32…159, SSE 160…415, MXCSR with either.
  if ((features & X87_COMPONENT) === 0) {
    area.set(before.subarray(0, 24));
    area.set(before.subarray(32, 160), 32);
  }
  if ((features & SSE_COMPONENT) === 0) {
    area.set(before.subarray(160, FXSAVE_WRITTEN), 160);
    area.set(before.subarray(24, 32), 24);
  }
  // Both components always count as in use.
  imageView.setUint32(XSAVE_HEADER, imageView.getUint32(XSAVE_HEADER, true) | features, true);
  cpu.mmu.write(address, area);
});

defineHelper("xrstor", (cpu) => {
  const address = cpu.argument(0);
  const features = requested(cpu);
  cpu.mmu.read(address, image);
  const present = imageView.getUint32(XSAVE_HEADER, true);
  // XSTATE_BV must name enabled features only; XCOMP_BV and the rest of the header must be zero in the standard form.
  for (let at = XSAVE_HEADER + 4; at < XSAVE_HEADER + 24; at++)
    if (image[at] !== 0) throw new GuestException(Vector.GP);
  if ((present & ~XCR0) !== 0) throw new GuestException(Vector.GP);
  const mxcsr = imageView.getUint32(24, true);
  if ((features & SSE_COMPONENT) !== 0) requireValidMxcsr(mxcsr);

  const state = stateView(cpu);
  const loaded = image.slice();
  saveFxsave(state, imageView); // what is not requested stays
  if ((features & X87_COMPONENT) !== 0 && (present & X87_COMPONENT) !== 0) {
    image.set(loaded.subarray(0, 24));
    image.set(loaded.subarray(32, 160), 32);
  }
  if ((features & SSE_COMPONENT) !== 0) {
    imageView.setUint32(24, mxcsr, true);
    if ((present & SSE_COMPONENT) !== 0) image.set(loaded.subarray(160, FXSAVE_WRITTEN), 160);
  }
  restoreFxsave(imageView, state);
  if ((features & X87_COMPONENT) !== 0 && (present & X87_COMPONENT) === 0) resetFpu(cpu);
  if ((features & SSE_COMPONENT) !== 0 && (present & SSE_COMPONENT) === 0) {
    for (let index = 0; index < 16; index++) cpu.stateBytes(XMM + index * XMM_STRIDE, 16).fill(0);
  }
});
