import { describe, expect, it } from "vitest";
import { Exit } from "../engine.ts";
import { EXCEPTION_ADDRESS, EXCEPTION_VECTOR, EXIT_BUDGET, Register, Vector } from "../state.ts";
import { CODE, EngineMachine, INT3, TEST_ENGINE_NAMES, TEST_ENGINES } from "./testing/machine.ts";

// xor eax,eax; mov ecx,100; again: add eax,ecx; dec ecx; jnz again; int3
const SUM = [0x31, 0xc0, 0xb9, 100, 0, 0, 0, 0x01, 0xc8, 0xff, 0xc9, 0x75, 0xfa, INT3];

describe.each(TEST_ENGINE_NAMES)("the engine %s", (name) => {
  const machine = (code: readonly number[]) => new EngineMachine(TEST_ENGINES[name], code);

  it("runs a loop and stops at the breakpoint behind it", () => {
    const { cpu, engine } = machine(SUM);
    expect(engine.run(1000)).toBe(Exit.Exception);
    expect(cpu.getI32(EXCEPTION_VECTOR)).toBe(Vector.BP);
    expect(cpu.gpr(Register.RAX)).toBe(5050);
    expect(cpu.rip).toBe(CODE + SUM.length);
    expect(cpu.getI32(EXIT_BUDGET)).toBe(1000 - (2 + 300 + 1));
  });

  it("stops after exactly the budget, at every instruction", () => {
    for (let budget = 1; budget < 40; budget++) {
      const whole = machine(SUM);
      expect(whole.engine.run(budget)).toBe(Exit.Budget);
      const steps = machine(SUM);
      for (let step = 0; step < budget; step++) expect(steps.engine.run(1)).toBe(Exit.Budget);
      expect(whole.cpu.rip).toBe(steps.cpu.rip);
      expect(whole.cpu.gpr(Register.RAX)).toBe(steps.cpu.gpr(Register.RAX));
      expect(whole.cpu.rflags).toBe(steps.cpu.rflags);
      expect(whole.cpu.getI32(EXIT_BUDGET)).toBe(0);
    }
  });

  it("stops a little early where it may, and loses nothing by it", () => {
    for (const [budget, slack] of [
      [50, 10],
      [100, 40],
      [7, 6],
    ]) {
      const { cpu, engine } = machine(SUM);
      let executed = 0;
      for (let exit: Exit = Exit.Budget; exit === Exit.Budget; ) {
        exit = engine.run(budget, slack);
        const left = cpu.getI32(EXIT_BUDGET);
        if (exit === Exit.Budget) expect(left).toBeLessThanOrEqual(slack);
        expect(left).toBeGreaterThanOrEqual(0);
        executed += budget - left;
      }
      expect(cpu.gpr(Register.RAX)).toBe(5050);
      expect(executed).toBe(2 + 300 + 1);
    }
  });

  it("leaves everything as it was when an access faults", () => {
    // add rsp,8; push qword [rax]
    const { cpu, engine } = machine([0x48, 0x83, 0xc4, 0x08, 0xff, 0x30]);
    cpu.setGpr(Register.RAX, 0x20);
    expect(engine.run(100)).toBe(Exit.Exception);
    expect(cpu.getI32(EXCEPTION_VECTOR)).toBe(Vector.PF);
    expect(cpu.getNumber(EXCEPTION_ADDRESS)).toBe(0x20);
    expect(cpu.rip).toBe(CODE + 4);
    expect(cpu.gpr(Register.RSP)).toBe(0x80008);
    expect(cpu.getI32(EXIT_BUDGET)).toBe(99);
  });

  it("sees code that the same trace has just changed", () => {
    // mov byte [rip+1], 7 ; mov al, 1 → mov al, 7 ; int3
    const { cpu, engine } = machine([0xc6, 0x05, 0x01, 0, 0, 0, 7, 0xb0, 1, INT3]);
    expect(engine.run(100)).toBe(Exit.Exception);
    expect(cpu.gpr(Register.RAX)).toBe(7);
  });

  it("sees code that it changes itself while it runs to the end of a budget", () => {
    const { cpu, engine } = machine([0xc6, 0x05, 0x01, 0, 0, 0, 7, 0xb0, 1, 0x90, 0x90, 0x90, INT3]);
    expect(engine.run(3)).toBe(Exit.Budget);
    expect(cpu.gpr(Register.RAX)).toBe(7);
  });

  it("sees code changed behind its back in a linked loop", () => {
    const changed = machine(SUM);
    const { cpu, engine } = changed;
    engine.run(50);
    // add eax,ecx becomes sub eax,ecx
    changed.write(CODE + 7, [0x29, 0xc8]);
    engine.run(10_000);
    expect(cpu.rip).toBe(CODE + SUM.length);
    expect(cpu.gpr(Register.RAX)).not.toBe(5050);
  });

  it("raises #PF at the target of a wild jump", () => {
    const { cpu, engine } = machine([0xff, 0xe0]); // jmp rax
    cpu.setGpr(Register.RAX, 0x7fff0000);
    expect(engine.run(100)).toBe(Exit.Exception);
    expect(cpu.rip).toBe(0x7fff0000);
    expect(cpu.getI32(EXCEPTION_VECTOR)).toBe(Vector.PF);
  });

  it("raises #GP for addresses that are not canonical", () => {
    const { cpu, engine } = machine([0x48, 0x8b, 0x00]); // mov rax,[rax]
    cpu.setGpr64(Register.RAX, 0x8000_0000_0000_0000n);
    expect(engine.run(1)).toBe(Exit.Exception);
    expect(cpu.getI32(EXCEPTION_VECTOR)).toBe(Vector.GP);
  });

  it("raises #UD for bytes that are no instruction", () => {
    const { cpu, engine } = machine([0x0f, 0x0b]);
    expect(engine.run(1)).toBe(Exit.Exception);
    expect(cpu.getI32(EXCEPTION_VECTOR)).toBe(Vector.UD);
    expect(cpu.rip).toBe(CODE);
  });

  it("reads and writes across page boundaries", () => {
    // mov [rbx],rax; mov rcx,[rbx]; int3
    const { cpu, engine } = machine([0x48, 0x89, 0x03, 0x48, 0x8b, 0x0b, INT3]);
    cpu.setGpr(Register.RBX, 0x20ffd);
    cpu.setGpr64(Register.RAX, 0x1122334455667788n);
    engine.run(10);
    expect(cpu.gpr64(Register.RCX)).toBe(0x1122334455667788n);
    expect(cpu.ram[0x21000]).toBe(0x55);
  });
});
