/** Breakpoints and watchpoints: engines stop exactly where stepping through the program comes by. */

import { beforeAll, describe, expect, it } from "vitest";
import { Access, PAGE_SIZE } from "../../mmu/translator.ts";
import { Exit } from "../engine.ts";
import { EXIT_BUDGET, Register } from "../state.ts";
import { CODE, DATA, type EngineMachine, INT3, interpreterCode, TEST_ENGINES } from "./testing/machine.ts";
import { type Program, startProgram } from "./testing/stepping.ts";

const { RBX, RSI, RDI } = Register;
const ENGINES = ["interp", "interp, pairs later", "jit", "jit, first tier"] as const;
const MOST = 100_000;

/** Nested loops, a call, memory, a computed jump, a string instruction across a page's end. */
const PROGRAM: Program = {
  code: [
    [0xb9, 40, 0, 0, 0], // 00: mov ecx,40
    [0xba, 3, 0, 0, 0], // 05: mov edx,3
    [0x48, 0x01, 0xc8], // 0a: add rax,rcx
    [0x48, 0x11, 0x03], // 0d: adc [rbx],rax
    [0xa8, 0x04], // 10: test al,4
    [0x74, 0x05], // 12: je 19
    [0xe8, 0x26, 0, 0, 0], // 14: call 3f
    [0xff, 0xca], // 19: dec edx
    [0x75, 0xed], // 1b: jne 0a
    [0x48, 0x8b, 0x43, 0x08], // 1d: mov rax,[rbx+8]
    [0x4c, 0x8d, 0x05, 4, 0, 0, 0], // 21: lea r8,[rip+4]
    [0x41, 0xff, 0xe0], // 28: jmp r8
    [INT3], // 2b
    [0x51], // 2c: push rcx
    [0xb9, 40, 0, 0, 0], // 2d: mov ecx,40
    [0x48, 0x8d, 0xbb, 0xf0, 0x0f, 0, 0], // 32: lea rdi,[rbx+0xff0]
    [0xf3, 0xaa], // 39: rep stosb
    [0x59], // 3b: pop rcx
    [0xe2, 0xc7], // 3c: loop 05
    [INT3], // 3e
    [0x30, 0xd4], // 3f: xor ah,dl
    [0x48, 0xff, 0x43, 0x10], // 41: inc qword [rbx+16]
    [0xc3], // 45: ret
  ].flat(),
  prepare: ({ cpu }) => cpu.setGpr(RBX, DATA),
};

interface Visit {
  readonly executed: number;
  readonly registers: Record<string, string>;
}

/** Where stepping comes by: the states in which `matches`. */
function visits(matches: (machine: EngineMachine) => boolean): Visit[] {
  const machine = startProgram(PROGRAM, TEST_ENGINES.interp);
  const found: Visit[] = [];
  for (let executed = 0; ; executed++) {
    if (matches(machine)) found.push({ executed, registers: machine.registers });
    if (machine.run(1) !== Exit.Budget) return found;
  }
}

function stopsOf(machine: EngineMachine): Visit[] {
  const found: Visit[] = [];
  let executed = 0;
  for (;;) {
    const exit = machine.run(MOST);
    executed += MOST - machine.cpu.getI32(EXIT_BUDGET);
    if (exit !== Exit.Debug) return found;
    found.push({ executed, registers: machine.registers });
    machine.cpu.stops.hit = undefined;
    machine.cpu.stops.pass = machine.cpu.stops.breakpoints.has(machine.cpu.rip);
  }
}

// Generating it takes its time on a busy machine.
beforeAll(() => void interpreterCode(), 300_000);

describe.each(ENGINES)("%s", (name) => {
  const start = () => startProgram(PROGRAM, TEST_ENGINES[name]);

  it.each([0x00, 0x0a, 0x0d, 0x12, 0x14, 0x19, 0x1b, 0x1d, 0x2c, 0x3c, 0x3f, 0x45])(
    "stops at a breakpoint at +%i whenever control comes there, before the instruction",
    (offset) => {
      const machine = start();
      machine.cpu.stops.breakpoints.add(CODE + offset);
      expect(stopsOf(machine)).toEqual(visits(({ cpu }) => cpu.rip === CODE + offset));
    },
  );

  it("stops at breakpoints that are set after the code has become hot, and forgets them again", () => {
    const machine = start();
    const { cpu, engine } = machine;
    const addresses = [0x0d, 0x1b, 0x3f].map((offset) => CODE + offset);
    const all = visits((other) => addresses.includes(other.cpu.rip));
    machine.run(600);
    for (const address of addresses) {
      cpu.stops.breakpoints.add(address);
      engine.invalidateVirtual(address, 1);
    }
    const behind = all.filter(({ executed }) => executed >= 600);
    const found = stopsOf(machine).map(({ executed, registers }) => ({
      executed: executed + 600,
      registers,
    }));
    expect(found).toEqual(behind);
    cpu.stops.breakpoints.clear();
    for (const address of addresses) engine.invalidateVirtual(address, 1);
    cpu.rip = CODE;
    expect(stopsOf(machine)).toEqual([]);
  });

  it("stops at each of several breakpoints in a row", () => {
    const machine = start();
    const addresses = [0x0a, 0x0d, 0x10, 0x12].map((offset) => CODE + offset);
    for (const address of addresses) machine.cpu.stops.breakpoints.add(address);
    expect(stopsOf(machine)).toEqual(visits(({ cpu }) => addresses.includes(cpu.rip)));
  });

  it.each([
    ["written", DATA, 8, Access.Write],
    ["one byte written", DATA + 3, 1, Access.Write],
    ["read", DATA + 8, 4, Access.Read],
    ["read and written", DATA + 16, 8, Access.Read | Access.Write],
    ["written by a string instruction", DATA + PAGE_SIZE + 2, 2, Access.Write],
  ] as const)(
    "stops behind each instruction by which watched memory is %s",
    (_what, address, length, access) => {
      const machine = start();
      // The instructions that touch these bytes, in the program above.
      const touching: Record<number, readonly number[]> = {
        [DATA]: [0x0d],
        [DATA + 3]: [0x0d],
        [DATA + 8]: [0x1d],
        [DATA + 16]: [0x41],
        [DATA + PAGE_SIZE + 2]: [0x39],
      };
      machine.cpu.watch([{ address, length, access }]);
      const before = visits(({ cpu }) => touching[address].includes(cpu.rip - CODE));
      const behind = visits(() => true);
      const expected = before.map(({ executed }) => behind[executed + 1]);
      expect(expected.length).toBeGreaterThan(10);
      expect(stopsOf(machine)).toEqual(expected);
      expect(machine.cpu.gpr(RSI)).toBe(0);
    },
  );

  it("does not stop for other bytes of a watched page, nor after the watchpoint is gone", () => {
    const machine = start();
    machine.cpu.watch([{ address: DATA + 24, length: 8, access: Access.Read | Access.Write }]);
    expect(stopsOf(machine)).toEqual([]);
    machine.cpu.watch([{ address: DATA, length: 8, access: Access.Write }]);
    machine.cpu.watch([]);
    machine.cpu.rip = CODE;
    machine.cpu.setGpr(RDI, 0);
    expect(stopsOf(machine)).toEqual([]);
  });
});
