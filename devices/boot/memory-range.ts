/** The memory map that firmware hands to a system: ACPI specification 6.3, table 15-374 "Address Range Types" (e820). */

export const MemoryType = { Ram: 1, Reserved: 2, Acpi: 3, Nvs: 4 } as const;

export interface MemoryRange {
  readonly start: number;
  readonly length: number;
  /** A {@link MemoryType}. */
  readonly type: number;
}
