/**
 * What a processor of a whole PC needs of the world: buses, the interrupt controller, registers that belong to others.
 * devices/ implements it; a processor without a {@link Platform} runs user code for the OSv kernel.
 */

import type { CpuidResult } from "./model.ts";

export type AccessSize = 1 | 2 | 4;

/** Ports, and physical addresses that are not RAM. Values are unsigned. The processor makes two accesses of one of 8 bytes. */
export interface Bus {
  readPort(port: number, size: AccessSize): number;
  writePort(port: number, size: AccessSize, value: number): void;
  readMemory(address: number, size: AccessSize): number;
  writeMemory(address: number, size: AccessSize, value: number): void;
}

/** What answers at a physical page: RAM of the linear memory, RAM that only reads see (ROM), or the bus. */
export type PageKind = "ram" | "rom" | "device";

export interface Platform {
  readonly bus: Bus;
  /**
   * What is at the page with this physical address; asked on TLB misses. Call `Cpu.memoryMapChanged()` when an answer
   * changes. Addresses from the RAM's size on are devices whatever this says.
   */
  pageKind(physicalPage: number): PageKind;
  /**
   * Interrupt acknowledge: the vector (0…255) of the interrupt that is delivered next, or -1 if there is none any more.
   * Called only after {@link import("./cpu.ts").Cpu.interruptRequest} was set, with IF set.
   */
  acknowledgeInterrupt(): number;
  /** CR8: bits 7…4 of the local APIC's task priority register. */
  taskPriority: number;
  /**
   * Registers that are not the processor's own: IA32_APIC_BASE (1BH), IA32_TSC_DEADLINE (6E0H), x2APIC (800H…8FFH), KVM's.
   * @returns undefined for no such register, false for a value that is refused: #GP
   */
  readMsr(index: number): bigint | undefined;
  writeMsr(index: number, value: bigint): boolean;
  /** CPUID leaves that are not the processor's own (40000000H…), or undefined. */
  cpuid(leaf: number, subleaf: number): CpuidResult | undefined;
}
