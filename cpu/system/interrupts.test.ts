import { describe, expect, it } from "vitest";
import { Flag, Register } from "../state.ts";
import { REAL_CODE, REAL_STACK, SystemMachine } from "./testing/system-machine.ts";

const VECTOR = 0x20;
/** INC BX; IRET. */
const COUNT = "43 cf";

/** A machine that runs this from address 7C00H, with a handler that counts in BX. */
function machineWith(code: string): SystemMachine {
  const machine = new SystemMachine();
  machine.loadReal(code);
  machine.setHandler(VECTOR, COUNT);
  machine.cpu.setGpr(Register.RBX, 0);
  return machine;
}

/** Offset in the code that the last interrupt at the top of the stack returns to. */
function returnOffset({ cpu }: SystemMachine): number {
  return new DataView(cpu.ram.buffer).getUint16(REAL_STACK - 6, true) - REAL_CODE;
}

const count = (machine: SystemMachine): number => machine.cpu.gpr(Register.RBX);

describe("interrupts", () => {
  it("wait for IF, and for the instruction behind STI", () => {
    const machine = machineWith("fa 90 90 fb 90 90 f4"); // cli, nop, nop, sti, nop, nop, hlt
    machine.interrupt(VECTOR);
    expect(machine.processor.run(100)).toBe("halt");
    expect(count(machine)).toBe(1);
    expect(returnOffset(machine)).toBe(5);
  });

  it("do not come between STI and HLT where a run ends there", () => {
    const machine = machineWith("fa fb f4 f4"); // cli, sti, hlt, hlt
    expect(machine.processor.run(2)).toBe("budget");
    machine.interrupt(VECTOR);
    expect(machine.processor.run(100)).toBe("halt");
    expect(returnOffset(machine)).toBe(3);
  });

  it("wait for the instruction behind a load of SS too", () => {
    const machine = machineWith("fa fb 8e d0 90 90 f4"); // cli, sti, mov ss, ax, nop, nop, hlt
    machine.interrupt(VECTOR);
    expect(machine.processor.run(100)).toBe("halt");
    expect(returnOffset(machine)).toBe(5);
  });

  it("come right behind the instruction whose device raises them", () => {
    const machine = machineWith("fb 90 b0 20 e6 f5 90 f4"); // sti, nop, mov al, 20h, out f5h, al, nop, hlt
    expect(machine.processor.run(100)).toBe("halt");
    expect(returnOffset(machine)).toBe(6);
    expect(count(machine)).toBe(1);
  });

  it("wake a halted processor, which otherwise stays so", () => {
    const machine = machineWith("fb f4 41 f4"); // sti, hlt, inc cx, hlt
    machine.cpu.setGpr(Register.RCX, 0);
    expect(machine.processor.run(100)).toBe("halt");
    const executed = machine.processor.instructionsExecuted;
    expect(machine.processor.run(100)).toBe("halt");
    expect(machine.processor.instructionsExecuted).toBe(executed);
    machine.interrupt(VECTOR);
    expect(machine.processor.run(100)).toBe("halt");
    expect([count(machine), machine.cpu.gpr(Register.RCX)]).toEqual([1, 1]);
  });

  it("come in behind POPF that sets IF", () => {
    const machine = machineWith("fa 68 02 02 9d 90 f4"); // cli, push 202h, popf, nop, hlt
    machine.interrupt(VECTOR);
    expect(machine.processor.run(100)).toBe("halt");
    expect(returnOffset(machine)).toBe(5);
  });

  it("with the number of a double fault are not one", () => {
    const machine = machineWith("fb 90 90 f4");
    machine.setHandler(8, COUNT);
    machine.interrupt(8);
    expect(machine.processor.run(100)).toBe("halt");
    expect(count(machine)).toBe(1);
  });
});

describe("NMIs", () => {
  it("come with IF clear, and not again before IRET", () => {
    const machine = machineWith("fa 90 90 f4");
    // inc bx, out f6h, al, nop, iret
    machine.setHandler(2, "43 90 90 cf");
    machine.system.requestNmi();
    expect(machine.processor.run(2)).toBe("budget");
    expect(machine.system.nmiBlocked).toBe(true);
    machine.system.requestNmi();
    expect(machine.processor.run(2)).toBe("budget");
    expect(count(machine)).toBe(1);
    expect(machine.processor.run(100)).toBe("halt");
    expect(count(machine)).toBe(2);
    expect(machine.system.nmiBlocked).toBe(false);
  });
});

describe("exceptions", () => {
  it("that cannot be delivered shut the processor down, registers as they were", () => {
    const machine = machineWith("b8 34 12 0f 0b"); // mov ax, 1234h, ud2
    machine.system.idtr.limit = 0;
    expect(machine.processor.run(100)).toBe("shutdown");
    expect(machine.cpu.rip).toBe(REAL_CODE + 3);
    expect(machine.cpu.gpr(Register.RAX) & 0xffff).toBe(0x1234);
  });

  it("single steps come behind every instruction until TF is clear", () => {
    const machine = machineWith("68 02 01 9d 90 41 f4"); // push 102h, popf, nop, inc cx, hlt
    machine.setHandler(1, COUNT);
    machine.processor.run(8);
    // nop; inc cx is behind the next step.
    expect(count(machine)).toBe(2);
    expect(machine.cpu.rflags & Flag.TF).not.toBe(0);
  });

  it("INTO traps behind itself if OF is set", () => {
    const machine = machineWith("b0 7f 04 01 ce f4"); // mov al, 7fh, add al, 1, into, hlt
    machine.setHandler(4, COUNT);
    expect(machine.processor.run(100)).toBe("halt");
    expect([count(machine), returnOffset(machine)]).toEqual([1, 5]);
  });

  it("REP INSB of more than it does at once goes on where it was", () => {
    const machine = machineWith("b9 00 30 bf 00 80 ba e9 00 f3 6c f4"); // cx, di, dx; rep insb; hlt
    expect(machine.processor.run(100)).toBe("halt");
    expect(machine.cpu.ram.subarray(0x8000, 0xb000).every((byte) => byte === 0xe9)).toBe(true);
    expect(machine.cpu.gpr(Register.RCX) & 0xffff).toBe(0);
  });
});
