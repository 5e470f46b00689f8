/** Puts a processor into the state that a boot protocol asks for. */

import { Register, Segment } from "../../cpu/state.ts";
import { Cr0, Cr4, Efer } from "../../cpu/system/control-bits.ts";
import { Rights } from "../../cpu/system/segment.ts";
import type { SystemState } from "../../cpu/system/system-state.ts";
import type { EntryState } from "../boot/entry-state.ts";

const FLAT_LIMIT = 0xffffffff;
const DATA_SEGMENTS = [Segment.ES, Segment.SS, Segment.DS, Segment.FS, Segment.GS] as const;
const DATA = Rights.P | Rights.S | Rights.WritableOrReadable | Rights.Accessed | Rights.DB | Rights.G;
const CODE = Rights.P | Rights.S | Rights.WritableOrReadable | Rights.Accessed | Rights.Code | Rights.G;
/** Nothing reads a stack before it has set one up; a push must not hurt anybody. */
const STACK = 0x6ff0;

/** Resets the processor and starts it at the entry point. */
export function applyEntryState(system: SystemState, entry: EntryState): void {
  system.reset();
  const { cpu } = system;
  const isLong = entry.mode === "long";
  system.cr0 = (Cr0.PE | Cr0.ET | Cr0.NE | (isLong ? Cr0.PG | Cr0.WP : 0)) >>> 0;
  if (isLong) {
    system.cr3 = entry.cr3;
    system.cr4 = Cr4.PAE;
    system.efer = Efer.LME | Efer.LMA;
  }
  Object.assign(system.gdtr, entry.gdt);
  Object.assign(system.idtr, { base: 0, limit: 0 });
  const code = CODE | (isLong ? Rights.L : Rights.DB);
  system.setSegment(Segment.CS, { selector: entry.codeSelector, base: 0, limit: FLAT_LIMIT, rights: code });
  for (const segment of DATA_SEGMENTS) {
    system.setSegment(segment, { selector: entry.dataSelector, base: 0, limit: FLAT_LIMIT, rights: DATA });
  }
  for (let register = 0; register < 16; register++) cpu.setGpr(register, 0);
  cpu.setGpr(Register.RSP, STACK);
  if (isLong) cpu.setGpr(Register.RSI, entry.rsi);
  else {
    cpu.setGpr(Register.RAX, entry.eax);
    cpu.setGpr(Register.RBX, entry.ebx);
    cpu.setGpr(Register.RSI, entry.esi);
  }
  cpu.rip = entry.entry;
  cpu.rflags = 2;
  system.setPrivilege(0);
  system.updatePaging();
  system.updateMode();
  cpu.mmu.flush();
  system.engine?.globalPagesChanged();
}
