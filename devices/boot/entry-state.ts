/** How a processor starts a system, and the tables in low memory that this needs. */

import type { LoaderMemory } from "./loader-memory.ts";

/** In which state and where execution begins. Registers that are not named are zero; interrupts are off. */
export type EntryState =
  | {
      /** 64-bit mode, the first 4 GiB mapped at their own addresses. */
      readonly mode: "long";
      readonly entry: number;
      readonly rsi: number;
      readonly gdt: { readonly base: number; readonly limit: number };
      readonly codeSelector: number;
      readonly dataSelector: number;
      readonly cr3: number;
    }
  | {
      /** 32-bit protected mode without paging, flat segments. */
      readonly mode: "protected";
      readonly entry: number;
      readonly eax: number;
      readonly ebx: number;
      readonly esi: number;
      readonly gdt: { readonly base: number; readonly limit: number };
      readonly codeSelector: number;
      readonly dataSelector: number;
    };

/** Below the EBDA, above the BIOS data area: nobody's memory until the system takes it. */
const GDT_ADDRESS = 0x500;
const PAGE_TABLES = 0x9000;
const GIB_MAPPED = 4;

/** Flat segments: code of the entry point's width and data (Linux: __BOOT_CS, __BOOT_DS). */
export const Selector = { Code: 0x10, Data: 0x18 } as const;
/** SDM vol. 3, 3.4.5. */
const CODE_DESCRIPTOR = { 32: 0x00cf9b000000ffffn, 64: 0x00af9b000000ffffn } as const;
const DATA_DESCRIPTOR = 0x00cf93000000ffffn;

/**
 * Puts the GDT in place.
 * @param codeSize bits of the code that starts
 * @throws BootError
 */
export function placeGdt(
  memory: LoaderMemory,
  subject: string,
  codeSize: 32 | 64,
): { base: number; limit: number } {
  const descriptors = [0n, 0n, CODE_DESCRIPTOR[codeSize], DATA_DESCRIPTOR];
  const bytes = new Uint8Array(descriptors.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, descriptor] of descriptors.entries()) view.setBigUint64(index * 8, descriptor, true);
  memory.place(subject, "the descriptor table", GDT_ADDRESS, bytes);
  return { base: GDT_ADDRESS, limit: bytes.length - 1 };
}

const PAGE = 4096;
const ENTRIES = 512;
const PRESENT_WRITABLE = 0x3;
const LARGE = 0x80;
const LARGE_PAGE = 2 ** 21;

/** Page tables that map the first 4 GiB with pages of 2 MiB. @returns what CR3 gets @throws BootError */
export function placeIdentityMap(memory: LoaderMemory, subject: string): number {
  const bytes = new Uint8Array(PAGE * (2 + GIB_MAPPED));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, (PAGE_TABLES + PAGE) | PRESENT_WRITABLE, true);
  for (let gib = 0; gib < GIB_MAPPED; gib++) {
    view.setUint32(PAGE + gib * 8, (PAGE_TABLES + PAGE * (2 + gib)) | PRESENT_WRITABLE, true);
    for (let entry = 0; entry < ENTRIES; entry++) {
      const physical = (gib * ENTRIES + entry) * LARGE_PAGE;
      view.setUint32(PAGE * (2 + gib) + entry * 8, physical + (PRESENT_WRITABLE | LARGE), true);
    }
  }
  memory.place(subject, "the page tables", PAGE_TABLES, bytes);
  return PAGE_TABLES;
}
