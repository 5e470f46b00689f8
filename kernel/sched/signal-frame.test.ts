import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { MXCSR, Register, X87_CONTROL, XMM, YMM_HIGH } from "../../cpu/state.ts";
import { FlatMemory } from "../fs/testing/guest.ts";
import { createFakeMachine, type FakeMachine } from "../testing/fake-machine.ts";
import { Registers } from "./registers.ts";
import { encodeSignalInfo, popSignalFrame, pushSignalFrame, SS_AUTODISARM } from "./signal-frame.ts";
import { SIGCHLD, SIGSEGV, SIGUSR1, SiCode } from "./signal-numbers.ts";
import { type SignalAction, SignalFlag } from "./signals.ts";
import type { AlternateStack, Thread } from "./thread.ts";

/** Offsets as the host's headers have them. */
function hostOffsets(): Record<string, number> {
  const source = `
    #define _GNU_SOURCE
    #include <signal.h>
    #include <stddef.h>
    #include <stdio.h>
    #include <ucontext.h>
    #define SHOW(type, field) printf("%s.%s %zu\\n", #type, #field, offsetof(type, field))
    #define REG(name) printf("%s %zu\\n", #name, offsetof(ucontext_t, uc_mcontext.gregs) + name * 8)
    int main(void) {
      SHOW(ucontext_t, uc_flags); SHOW(ucontext_t, uc_stack); SHOW(ucontext_t, uc_sigmask);
      SHOW(ucontext_t, uc_mcontext.fpregs);
      SHOW(siginfo_t, si_signo); SHOW(siginfo_t, si_code); SHOW(siginfo_t, si_pid); SHOW(siginfo_t, si_addr);
      SHOW(siginfo_t, si_status); SHOW(siginfo_t, si_value); SHOW(siginfo_t, si_overrun);
      REG(REG_R8); REG(REG_R15); REG(REG_RDI); REG(REG_RSI); REG(REG_RBP); REG(REG_RBX); REG(REG_RDX); REG(REG_RAX);
      REG(REG_RCX); REG(REG_RSP); REG(REG_RIP); REG(REG_EFL); REG(REG_CSGSFS); REG(REG_ERR); REG(REG_TRAPNO);
      REG(REG_OLDMASK); REG(REG_CR2);
      printf("siginfo_t %zu\\n", sizeof(siginfo_t));
    }`;
  const program = join(mkdtempSync(join(tmpdir(), "frame-")), "offsets");
  execFileSync("gcc", ["-x", "c", "-", "-o", program], { input: source });
  const lines = execFileSync(program, { encoding: "utf8" }).trim().split("\n");
  return Object.fromEntries(
    lines.map((line) => line.split(" ")).map(([name, value]) => [name, Number(value)]),
  );
}

const offsets = hostOffsets();
const STACK = FlatMemory.BASE + 0x7000;
const HANDLER = 0x401000;
const action: SignalAction = {
  handler: HANDLER,
  flags: SignalFlag.RESTORER | SignalFlag.SIGINFO,
  restorer: 0x402000,
  mask: 0n,
};

let machine: FakeMachine;
let memory: FlatMemory;
let registers: Registers;
let thread: Thread;

beforeEach(() => {
  machine = createFakeMachine(4096);
  memory = new FlatMemory();
  registers = new Registers(machine.cpu.state);
  for (let index = 0; index < 16; index++) registers.setBits(index, 0x1111_0000_0000_0000n + BigInt(index));
  registers.set(Register.RSP, STACK);
  registers.rip = 0x400123;
  machine.cpu.rflags = 0x602;
  machine.cpu.state.setInt32(MXCSR, 0x1f80, true);
  machine.cpu.state.setInt32(X87_CONTROL, 0x37f, true);
  machine.cpu.state.setBigUint64(XMM + 3 * 32, 0x1234567890abcdefn, true);
  machine.cpu.state.setBigUint64(XMM + 3 * 32 + YMM_HIGH, 0xfedcba0987654321n, true);
  const alternateStack: AlternateStack = { sp: 0, size: 0, flags: 2 };
  thread = { alternateStack, trap: { vector: 14, errorCode: 6, address: 0x1234 } } as unknown as Thread;
});

function push(signal = SIGUSR1, chosen = action): boolean {
  const info = { code: SiCode.USER, pid: 55, uid: 0 };
  return pushSignalFrame(machine.cpu, memory, thread, signal, chosen, info, 0xff00n);
}

describe("a signal frame", () => {
  it("has every field where the C library's headers say", () => {
    expect(push()).toBe(true);
    const context = registers.get(Register.RDX);
    const information = registers.get(Register.RSI);
    const field = (name: string): bigint => memory.readU64(context + offsets[name]);
    expect(field("REG_R8")).toBe(0x1111_0000_0000_0008n);
    expect(field("REG_R15")).toBe(0x1111_0000_0000_000fn);
    expect(field("REG_RDI")).toBe(0x1111_0000_0000_0007n);
    expect(field("REG_RSI")).toBe(0x1111_0000_0000_0006n);
    expect(field("REG_RBP")).toBe(0x1111_0000_0000_0005n);
    expect(field("REG_RBX")).toBe(0x1111_0000_0000_0003n);
    expect(field("REG_RDX")).toBe(0x1111_0000_0000_0002n);
    expect(field("REG_RAX")).toBe(0x1111_0000_0000_0000n);
    expect(field("REG_RCX")).toBe(0x1111_0000_0000_0001n);
    expect(field("REG_RSP")).toBe(BigInt(STACK));
    expect(field("REG_RIP")).toBe(0x400123n);
    expect(field("REG_EFL")).toBe(0x602n);
    expect(field("REG_CSGSFS")).toBe(0x002b_0000_0000_0033n);
    expect(field("REG_ERR")).toBe(6n);
    expect(field("REG_TRAPNO")).toBe(14n);
    expect(field("REG_CR2")).toBe(0x1234n);
    expect(field("ucontext_t.uc_sigmask")).toBe(0xff00n);
    expect(memory.readI32(information + offsets["siginfo_t.si_signo"])).toBe(SIGUSR1);
    expect(memory.readI32(information + offsets["siginfo_t.si_pid"])).toBe(55);
    const fp = Number(field("ucontext_t.uc_mcontext.fpregs"));
    expect(fp % 64).toBe(0);
    expect(memory.readU16(fp)).toBe(0x37f);
    expect(memory.readU64(fp + 160 + 3 * 16)).toBe(0x1234567890abcdefn);
    expect(memory.readU64(fp + 576 + 3 * 16)).toBe(0xfedcba0987654321n);
    // struct _fpx_sw_bytes: xfeatures and the size of the XSAVE area, then XSTATE_BV.
    expect([472, 512].map((at) => memory.readU64(fp + at))).toEqual([7n, 7n]);
    expect([468, 480].map((at) => memory.readU32(fp + at))).toEqual([836, 832]);
    // struct _fpx_sw_bytes: size with the end marker, which is there.
    expect(memory.readU32(fp + 464)).toBe(0x46505853);
    expect(memory.readU32(fp + memory.readU32(fp + 468) - 4)).toBe(0x46505845);
  });

  it("calls the handler as the ABI wants: stack, red zone, direction flag, return address", () => {
    push();
    const sp = registers.get(Register.RSP);
    expect((sp + 8) % 16).toBe(0);
    expect(sp).toBeLessThan(STACK - 128 - 440);
    expect(memory.readI64(sp)).toBe(0x402000);
    expect(registers.get(Register.RDI)).toBe(SIGUSR1);
    expect(registers.get(Register.RAX)).toBe(0);
    expect(registers.rip).toBe(HANDLER);
    expect(machine.cpu.rflags & 0x400).toBe(0);
  });

  it("brings everything back", () => {
    const before = new Uint8Array(0x400);
    machine.cpu.saveContext(before);
    push();
    machine.cpu.state.setBigUint64(XMM + 3 * 32, 0n, true);
    machine.cpu.state.setBigUint64(XMM + 3 * 32 + YMM_HIGH, 0n, true);
    registers.set(Register.RBX, 1);
    registers.set(Register.RSP, registers.get(Register.RSP) + 8);
    expect(popSignalFrame(machine.cpu, memory, thread)).toBe(0xff00n);
    const after = new Uint8Array(0x400);
    machine.cpu.saveContext(after);
    expect(after).toEqual(before);
  });

  it("without its extended part clears what is not in it, as Linux does", () => {
    push();
    const context = registers.get(Register.RDX);
    const fp = Number(memory.readU64(context + offsets["ucontext_t.uc_mcontext.fpregs"]));
    memory.write(fp + 464, new Uint8Array(4));
    registers.set(Register.RSP, registers.get(Register.RSP) + 8);
    expect(popSignalFrame(machine.cpu, memory, thread)).toBe(0xff00n);
    expect(machine.cpu.state.getBigUint64(XMM + 3 * 32, true)).toBe(0x1234567890abcdefn);
    expect(machine.cpu.state.getBigUint64(XMM + 3 * 32 + YMM_HIGH, true)).toBe(0n);
  });

  it("whose state XRSTOR would refuse is refused", () => {
    push();
    const context = registers.get(Register.RDX);
    const fp = Number(memory.readU64(context + offsets["ucontext_t.uc_mcontext.fpregs"]));
    memory.write(fp + 512, Uint8Array.of(0x87));
    registers.set(Register.RSP, registers.get(Register.RSP) + 8);
    expect(popSignalFrame(machine.cpu, memory, thread)).toBeUndefined();
  });

  it("goes to the alternate stack, but not deeper when already there", () => {
    const alternate = { sp: FlatMemory.BASE + 0x10000, size: 0x4000, flags: 0 };
    thread.alternateStack = alternate;
    const onStack = { ...action, flags: action.flags | SignalFlag.ONSTACK };
    push(SIGUSR1, onStack);
    const first = registers.get(Register.RSP);
    expect(first).toBeGreaterThan(alternate.sp + alternate.size - 2048);
    push(SIGUSR1, onStack);
    expect(registers.get(Register.RSP)).toBeLessThan(first - 440);
    for (let depth = 0; depth < 20 && push(SIGUSR1, onStack); depth++) expect(depth).toBeLessThan(19);
    expect(registers.get(Register.RSP)).toBeGreaterThan(alternate.sp);
  });

  it("takes SS_AUTODISARM at its word", () => {
    thread.alternateStack = { sp: FlatMemory.BASE + 0x10000, size: 0x4000, flags: SS_AUTODISARM };
    push(SIGUSR1, { ...action, flags: action.flags | SignalFlag.ONSTACK });
    expect(thread.alternateStack.size).toBe(0);
    registers.set(Register.RSP, registers.get(Register.RSP) + 8);
    popSignalFrame(machine.cpu, memory, thread);
    expect(thread.alternateStack).toEqual({
      sp: FlatMemory.BASE + 0x10000,
      size: 0x4000,
      flags: SS_AUTODISARM,
    });
  });

  it("is not built on a stack that is not there, or without a restorer", () => {
    expect(push(SIGUSR1, { ...action, flags: 0 })).toBe(false);
    for (const sp of [0, 100, -4096, 2 ** 47, 2 ** 62]) {
      registers.set(Register.RSP, sp);
      expect(push()).toBe(false);
    }
  });

  it("is read with care", () => {
    for (const sp of [0, -8, 2 ** 50, FlatMemory.BASE + memory.bytes.length]) {
      registers.set(Register.RSP, sp);
      expect(popSignalFrame(machine.cpu, memory, thread)).toBeUndefined();
    }
  });
});

describe("siginfo", () => {
  it("puts what belongs to each kind where the headers say", () => {
    const fault = new DataView(encodeSignalInfo(SIGSEGV, { code: 1, address: 0x7fff12345678 }).buffer);
    expect(fault.byteLength).toBe(offsets.siginfo_t);
    expect(fault.getBigUint64(offsets["siginfo_t.si_addr"], true)).toBe(0x7fff12345678n);
    const child = new DataView(encodeSignalInfo(SIGCHLD, { code: 1, pid: 7, status: 3 }).buffer);
    expect(child.getInt32(offsets["siginfo_t.si_status"], true)).toBe(3);
    const timer = new DataView(
      encodeSignalInfo(SIGUSR1, { code: SiCode.TIMER, overrun: 4, value: 9n }).buffer,
    );
    expect(timer.getInt32(offsets["siginfo_t.si_overrun"], true)).toBe(4);
    expect(timer.getBigUint64(offsets["siginfo_t.si_value"], true)).toBe(9n);
  });
});
