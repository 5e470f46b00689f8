/** Selectors and descriptors as user code on Linux finds them (arch/x86/include/asm/segment.h). */

import type { Cpu } from "../cpu.ts";
import { defineHelper, GuestException } from "../helpers.ts";
import { Segment, Vector } from "../state.ts";

/** Bits of a selector besides the requested privilege level. */
const INDEX_MASK = 0xfffc;

interface Descriptor {
  /** What LAR returns: access rights in their place in the descriptor (SDM vol. 3, 3.4.5). */
  readonly rights: number;
  readonly limit: number;
  readonly writable: boolean;
}

/** The descriptors of the GDT that privilege level 3 may use, by selector without RPL. All are readable. */
const DESCRIPTORS: ReadonlyMap<number, Descriptor> = new Map([
  [0x20, { rights: 0x00cffb00, limit: 0xffffffff, writable: false }], // __USER32_CS
  [0x28, { rights: 0x00cff300, limit: 0xffffffff, writable: true }], // __USER_DS
  [0x30, { rights: 0x00affb00, limit: 0xffffffff, writable: false }], // __USER_CS
  [0x78, { rights: 0x0040f500, limit: 0, writable: false }], // __CPUNODE_SEG: the limit is the processor's number
]);

const descriptorOf = (selector: number): Descriptor | undefined => DESCRIPTORS.get(selector & INDEX_MASK);

/** Slot 0: segment register; 1: selector. */
defineHelper("loadSelector", (cpu) => {
  const segment = cpu.argumentI32(0);
  const selector = cpu.argumentI32(1);
  const isNull = (selector & INDEX_MASK) === 0;
  if (segment === Segment.SS) {
    // In user mode SS cannot be null, and must be writable (SDM vol. 2, MOV).
    if (isNull) throw new GuestException(Vector.GP, 0);
    const usable = descriptorOf(selector)?.writable === true && (selector & 3) === 3;
    if (!usable) throw new GuestException(Vector.GP, selector & INDEX_MASK);
    return;
  }
  if (!isNull && descriptorOf(selector) === undefined)
    throw new GuestException(Vector.GP, selector & INDEX_MASK);
  // The bases of all these descriptors are 0, and Intel's processors take 0 from a null selector too.
  if (segment === Segment.FS || segment === Segment.GS) cpu.setSegmentBase(segment, 0);
});

function defineQuery(name: string, answer: (descriptor: Descriptor) => number): void {
  defineHelper(name, (cpu: Cpu) => {
    const descriptor = descriptorOf(cpu.argumentI32(0));
    cpu.setResult(0, descriptor === undefined ? 0 : answer(descriptor));
    cpu.setResultI32(1, descriptor === undefined ? 0 : 1);
  });
}

defineQuery("lar", (descriptor) => descriptor.rights);
defineQuery("lsl", (descriptor) => descriptor.limit);

defineHelper("verr", (cpu) => {
  cpu.setResultI32(0, descriptorOf(cpu.argumentI32(0)) === undefined ? 0 : 1);
});

defineHelper("verw", (cpu) => {
  cpu.setResultI32(0, descriptorOf(cpu.argumentI32(0))?.writable === true ? 1 : 0);
});
