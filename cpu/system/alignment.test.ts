/** Alignment checks on a whole PC; for programs guests/conformance/alignment.c compares them with silicon. */

import { describe, expect, it } from "vitest";
import { Flag, Register, Segment, Vector } from "../state.ts";
import { Cr0 } from "./control-bits.ts";
import { SYSTEM_ENGINES, SystemMachine, type SystemTestEngine } from "./testing/system-machine.ts";

const CODE = 0x8000;
const DATA = 0xa000;
/** Without a page at MISSING. */
const PAGE_TABLES = { directory: 0x10000, table: 0x11000 } as const;
const MISSING = 0xc000;
/** mov eax, [edi]; mov [edi], ax; jmp back */
const LOOP = [0x8b, 0x07, 0x66, 0x89, 0x07, 0xeb, 0xf9];

interface Situation {
  readonly cr0?: number;
  readonly flags?: number;
  readonly level?: number;
  readonly address: number;
  readonly code?: readonly number[];
}

/** Runs code in 32-bit mode with paging. @returns the first exception, or "none", and where it was */
function run(
  engine: SystemTestEngine,
  { cr0 = Cr0.AM, flags = Flag.AC, level = 3, address, code = LOOP }: Situation,
): string {
  const machine = new SystemMachine(engine);
  const { cpu, system, processor } = machine;
  machine.loadMultiboot(new Uint8Array(4096));
  const view = new DataView(cpu.ram.buffer);
  view.setUint32(PAGE_TABLES.directory, PAGE_TABLES.table | 7, true);
  for (let page = 0; page < 1024; page++)
    view.setUint32(PAGE_TABLES.table + 4 * page, page * 4096 === MISSING ? 0 : (page * 4096) | 7, true);
  system.cr3 = PAGE_TABLES.directory;
  system.cr0 |= Cr0.PG | cr0;
  const privilege = level << 13;
  const flat = { base: 0, limit: 0xffffffff } as const;
  system.setPrivilege(level);
  for (const segment of [Segment.ES, Segment.SS, Segment.DS])
    system.setSegment(segment, { ...flat, selector: 0x10 | level, rights: 0x00c09300 | privilege });
  system.setSegment(Segment.CS, { ...flat, selector: 8 | level, rights: 0x00c09b00 | privilege });
  system.updatePaging();
  system.updateMode();
  cpu.ram.set(code, CODE);
  cpu.rflags = 2 | flags;
  cpu.setGpr(Register.RDI, address);
  cpu.setGpr(Register.RSP, DATA + 512);
  cpu.rip = CODE;
  let exception = "none";
  processor.onEvent = ({ vector, errorCode }) => {
    if (exception === "none") exception = `${vector} ${errorCode} at ${(cpu.rip - CODE).toString()}`;
    processor.endSlice();
  };
  processor.run(2000);
  return exception;
}

describe.each(SYSTEM_ENGINES)("alignment checks (%s)", (engine) => {
  it("raise #AC at CPL 3 with CR0.AM and EFLAGS.AC, and then only", () => {
    expect(run(engine, { address: DATA + 2 })).toBe(`${Vector.AC} 0 at 0`);
    expect(run(engine, { address: DATA + 1, code: LOOP.slice(2) })).toBe(`${Vector.AC} 0 at 0`);
    expect(run(engine, { address: DATA })).toBe("none");
    expect(run(engine, { address: DATA + 2, cr0: 0 })).toBe("none");
    expect(run(engine, { address: DATA + 2, flags: 0 })).toBe("none");
    expect(run(engine, { address: DATA + 2, level: 0 })).toBe("none");
  });

  it("come behind page faults", () => {
    expect(run(engine, { address: MISSING + 1 })).toBe(`${Vector.PF} 4 at 0`);
    expect(run(engine, { address: MISSING - 2 })).toBe(`${Vector.PF} 4 at 0`);
  });

  it("begin and end with POPF, and touch no bytes before", () => {
    // push 40002h; popf; mov eax, [edi]
    const begin = [0x68, 2, 0, 4, 0, 0x9d, ...LOOP];
    expect(run(engine, { address: DATA + 2, flags: 0, code: begin })).toBe(`${Vector.AC} 0 at 6`);
    // push 2; popf; …
    const end = [0x6a, 2, 0x9d, ...LOOP];
    expect(run(engine, { address: DATA + 2, code: end })).toBe("none");
  });
});
