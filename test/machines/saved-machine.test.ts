/**
 * A machine that is saved and restored runs on as if nothing had been: on instruction time its output and its last state are
 * those of a machine that was left alone, byte for byte, wherever it was saved. And whatever a file has in it, restoring it
 * works or is refused in a sentence.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSystemEngine, type EngineName } from "../../cli/engines.ts";
import { nodeCompression } from "../../cli/host/node-compression.ts";
import { NodeMachineHost } from "../../cli/host/node-machine-host.ts";
import { type Kernel, Machine } from "../../devices/machine/machine.ts";
import { describeMachine, restoreMachine, saveMachine } from "../../devices/machine/saved-machine.ts";
import type { StopReason } from "../../devices/machine/stop-reason.ts";
import { type SavedState, type SavedValue, StateError, StateReader } from "../../devices/saved-state.ts";
import { Snapshot } from "../../devices/snapshot/snapshot-reader.ts";
import { writeSnapshot } from "../../devices/snapshot/snapshot-writer.ts";
import { objectDifferences } from "../../devices/testing/object-differences.ts";
import { SeededEntropy } from "../../kernel/deterministic-host.ts";
import { Random } from "../fuzz/random.ts";
import { missingCompiler } from "../harness/compiler.ts";
import { describeWith } from "../harness/requirements.ts";

const RAM = 4 << 20;
/** Rounds of the guest; it takes about so many instructions. */
const INSTRUCTIONS = 3_000_000;

/**
 * Interrupts of the 8254 and of the local APIC's timer, HLT, x87, SSE, page tables, RDTSC and RDRAND: what they come to is
 * printed as it goes.
 */
const SOURCE = `
    .set FLAGS, 3
    .text
    .code32
    .long 0x1badb002, FLAGS, -(0x1badb002 + FLAGS)
    .globl _start
_start:
    movl $0x90000, %esp
    lgdt gdtr
    ljmp $8, $1f
1:  movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $tick, %eax             # vector 20H: the 8254
    movl $idt + 0x20 * 8, %edi
    call gate
    movl $apic_tick, %eax        # vector 40H: the local APIC's timer
    movl $idt + 0x40 * 8, %edi
    call gate
    lidt idtr
    movl %cr4, %eax              # SSE, pages of 4 MiB, PGE
    orl $0x690, %eax
    movl %eax, %cr4
    movl $0x10000, %edi          # page directory: everything at its own address
    movl $0x83, %eax
    movl $1024, %ecx
2:  stosl
    addl $0x400000, %eax
    loop 2b
    movl $0x10000, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $0x80010002, %eax
    andl $~4, %eax
    movl %eax, %cr0
    fninit
    fldpi

    movb $0x11, %al              # 8259: vectors 20H and 28H, IRQ 0 only
    outb %al, $0x20
    outb %al, $0xa0
    movb $0x20, %al
    outb %al, $0x21
    movb $0x28, %al
    outb %al, $0xa1
    movb $4, %al
    outb %al, $0x21
    movb $2, %al
    outb %al, $0xa1
    movb $1, %al
    outb %al, $0x21
    outb %al, $0xa1
    movb $0xfe, %al
    outb %al, $0x21
    movb $0xff, %al
    outb %al, $0xa1
    movb $0x34, %al              # 8254: every 100 microseconds
    outb %al, $0x43
    movb $119, %al
    outb %al, $0x40
    movb $0, %al
    outb %al, $0x40
    movl $0x1ff, 0xfee000f0      # local APIC: on, LINT0 for the 8259, a periodic timer
    movl $0x700, 0xfee00350
    movl $0x20040, 0xfee00320
    movl $0xb, 0xfee003e0
    movl $70000, 0xfee00380
    sti

    movl $ROUNDS, %ebp
round:
    movl $500, %ecx
    movl $0x200000, %edi
3:  imull $1103515245, seed, %eax
    addl $12345, %eax
    movl %eax, seed
    andl $0xffffc, %eax
    movl seed, %edx
    addl %edx, (%edi, %eax)
    cvtsi2sd %edx, %xmm1
    addsd %xmm1, %xmm0
    loop 3b
    fildl seed
    fabs
    fsqrt
    faddp
    rdtsc
    xorl %eax, sum
    rdrand %eax
    xorl %eax, sum
    testl $3, %ebp
    jnz 4f
    hlt
4:  testl $31, %ebp
    jnz 5f
    call report
5:  decl %ebp
    jnz round
    call report
    movb $0, %al
    outb %al, $0xf4
    hlt

report:
    movl ticks, %eax
    call print
    movl apic_ticks, %eax
    call print
    movl sum, %eax
    call print
    subl $16, %esp
    fstl (%esp)
    movsd %xmm0, 8(%esp)
    movl (%esp), %eax
    xorl 4(%esp), %eax
    xorl 8(%esp), %eax
    xorl 12(%esp), %eax
    addl $16, %esp
    call print
    movb $10, %al
    movw $0x3f8, %dx
    outb %al, %dx
    ret
print:
    movl $8, %ecx
    movw $0x3f8, %dx
6:  roll $4, %eax
    pushl %eax
    andb $15, %al
    addb $48, %al
    cmpb $58, %al
    jb 7f
    addb $39, %al
7:  outb %al, %dx
    popl %eax
    loop 6b
    movb $32, %al
    outb %al, %dx
    ret

gate:                            # an interrupt gate for the handler in eax
    movw %ax, (%edi)
    movw $8, 2(%edi)
    movw $0x8e00, 4(%edi)
    shrl $16, %eax
    movw %ax, 6(%edi)
    ret
tick:
    pushl %eax
    incl ticks
    movb $0x20, %al
    outb %al, $0x20
    popl %eax
    iret
apic_tick:
    incl apic_ticks
    movl $0, 0xfee000b0
    iret

    .data
    .balign 8
gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr: .word 23
    .long gdt
idtr: .word 0x41 * 8 - 1
    .long idt
seed: .long 1
    .bss
    .balign 8
idt: .skip 0x41 * 8
ticks: .skip 4
apic_ticks: .skip 4
sum: .skip 4
`;

class MemoryFile {
  readonly pieces: Uint8Array[] = [];
  write(bytes: Uint8Array): Promise<void> {
    this.pieces.push(bytes);
    return Promise.resolve();
  }
  get bytes(): Uint8Array {
    return Buffer.concat(this.pieces);
  }
}

/** What is executed a few times is compiled. */
const EAGER = { warm: 2, hot: 4, batch: 4, free: Number.POSITIVE_INFINITY, samples: 0 };

/** Fields of the processor that are no state of the guest's: what it is connected to, what is made anew when it is needed. */
const NOT_REGISTERS = [
  "cpu",
  "platform",
  "engine",
  "walker",
  "modes",
  "id",
  "bytes",
  "translation",
  "features",
];

const sourceOf = (bytes: Uint8Array) => ({
  size: bytes.length,
  read: (position: number, length: number) => Promise.resolve(bytes.slice(position, position + length)),
});

interface Run {
  readonly machine: Machine;
  readonly output: number[];
}

function createMachine(saveAt = Number.POSITIVE_INFINITY, engine: EngineName = "interp"): Run {
  const output: number[] = [];
  /** Instructions at the last pause: a machine that waits is not paused over and over, or it would wait for ever. */
  let pausedAt = -1;
  const machine = new Machine({
    ramSize: RAM,
    host: new NodeMachineHost(new SeededEntropy()),
    createEngine: (cpu) => createSystemEngine({ engines: [engine] }, cpu, { jitThresholds: EAGER }),
    serial: { transmit: (byte) => output.push(byte) },
    debugOutput: (byte) => output.push(byte),
    debugExit: { port: 0xf4, ports: 4 },
    deterministic: true,
    version: "0",
    afterSlice: () => {
      const { instructionsExecuted } = machine.processor;
      if (instructionsExecuted < saveAt || instructionsExecuted === pausedAt) return;
      pausedAt = instructionsExecuted;
      machine.pause();
    },
  });
  return { machine, output };
}

async function save(machine: Machine): Promise<Uint8Array> {
  const file = new MemoryFile();
  await machine.standStill(() =>
    writeSnapshot({ version: 1, machine: saveMachine(machine) }, file, nodeCompression),
  );
  return file.bytes;
}

async function restore(bytes: Uint8Array, machine: Machine): Promise<void> {
  const snapshot = await Snapshot.open(sourceOf(bytes), nodeCompression);
  const outline = new StateReader("file", snapshot.outline, 1).state("machine");
  machine.beginRestore();
  const ram = new StateReader("machine", outline, 1).bytes("ram");
  const state = await snapshot.load(new Map([[ram, machine.cpu.ram]]));
  restoreMachine(machine, new StateReader("file", state, 1).state("machine"));
}

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "osv-vm-saved-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWith([missingCompiler("glibc")], "a saved machine", () => {
  let kernel: Kernel = { subject: "", bytes: new Uint8Array(0), commandLine: "" };
  let undisturbed: { output: string; state: Uint8Array; reason: StopReason };
  beforeAll(async () => {
    const path = join(folder, "guest");
    writeFileSync(`${path}.S`, SOURCE.replace("$ROUNDS", "$600"));
    const link = ["-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x100000", "-Wl,--build-id=none"];
    execFileSync("gcc", [...link, "-o", path, `${path}.S`], { stdio: "pipe" });
    kernel = { subject: "guest", bytes: readFileSync(path), commandLine: "" };
    const { machine, output } = createMachine();
    machine.bootKernel(kernel);
    const reason = await machine.run();
    undisturbed = { output: text(output), state: await save(machine), reason };
  });

  const text = (output: readonly number[]) => String.fromCharCode(...output);

  it("runs a guest that uses timers, interrupts, x87, SSE and paging", () => {
    expect(undisturbed.reason).toEqual({ kind: "debug-exit", status: 1 });
    const lines = undisturbed.output.trim().split("\n");
    expect(lines.length).toBe(19);
    const [ticks, apicTicks] = (lines.at(-1) ?? "").split(" ").map((word) => Number.parseInt(word, 16));
    expect(ticks).toBeGreaterThan(20);
    expect(apicTicks).toBeGreaterThan(20);
  });

  it("runs on as if nothing had been, saved and restored at thirty places, by one engine and the other", async () => {
    const random = new Random(2, 0);
    let output = "";
    let saved: Uint8Array | undefined;
    let reason: StopReason = { kind: "paused" };
    let last: Machine | undefined;
    for (let turn = 0, at = 0; reason.kind === "paused"; turn++) {
      at += random.below(INSTRUCTIONS / 15);
      const run = createMachine(turn < 30 ? at : undefined, turn % 2 === 0 ? "interp" : "jit");
      last = run.machine;
      if (saved === undefined) run.machine.bootKernel(kernel);
      else await restore(saved, run.machine);
      reason = await run.machine.run();
      output += text(run.output);
      if (reason.kind === "paused") saved = await save(run.machine);
      expect(turn).toBeLessThan(40);
    }
    expect(reason).toEqual(undisturbed.reason);
    expect(output).toBe(undisturbed.output);
    expect(last !== undefined && Buffer.compare(await save(last), undisturbed.state)).toBe(0);
  });

  it("that is saved and not restored runs on the same way", async () => {
    const { machine, output } = createMachine(INSTRUCTIONS / 3);
    machine.bootKernel(kernel);
    expect(await machine.run()).toEqual({ kind: "paused" });
    const first = await save(machine);
    expect(Buffer.compare(await save(machine), first)).toBe(0);
    let reason = await machine.run();
    while (reason.kind === "paused") reason = await machine.run();
    expect(text(output)).toBe(undisturbed.output);
    expect(Buffer.compare(await save(machine), undisturbed.state)).toBe(0);
  });

  it("has every register of the processor as it was", async () => {
    const { machine } = createMachine(INSTRUCTIONS / 3);
    machine.bootKernel(kernel);
    await machine.run();
    const copy = createMachine().machine;
    await restore(await save(machine), copy);
    expect(copy.cpu.rflags).toBe(machine.cpu.rflags);
    expect(objectDifferences(machine.system, copy.system, NOT_REGISTERS)).toEqual([]);
  });

  it("brings its kernel along: a reset starts it again", async () => {
    const { machine, output } = createMachine();
    await restore(undisturbed.state, machine);
    machine.reboot();
    expect(await machine.run()).toEqual(undisturbed.reason);
    expect(text(output).split("\n").length).toBe(20);
  });

  describe("in a file that was damaged", () => {
    /** Restores a file into a machine and lets that run for a while. @returns the sentence of a refusal */
    const attempt = async (restoring: () => Promise<void> | void): Promise<string | undefined> => {
      try {
        await restoring();
      } catch (error) {
        if (!(error instanceof StateError)) throw error;
        expect(error.message).toMatch(/^[^\n]+$/);
        expect(error.message).not.toMatch(/undefined|NaN|\[object/);
        return error.message;
      }
      const impatience = setTimeout(() => machine.pause(), 20); // it may wait for nothing
      await machine.run();
      clearTimeout(impatience);
      return undefined;
    };
    const attemptFile = (bytes: Uint8Array) => attempt(() => restore(bytes, machine));
    /** One for all attempts: restoring makes good what an earlier one has done. */
    let machine: Machine;

    let whole = new Uint8Array(0);
    beforeAll(async () => {
      const run = createMachine(INSTRUCTIONS / 2);
      run.machine.bootKernel(kernel);
      await run.machine.run();
      whole = Uint8Array.from(await save(run.machine));
      machine = createMachine(0).machine;
    });

    it("is refused wherever it is cut off", async () => {
      expect(await attemptFile(new Uint8Array(0))).toBe("it is empty");
      for (let length = 1; length < whole.length; length += 1 + Math.floor(length / 5)) {
        expect(await attemptFile(whole.slice(0, length))).toBe("it is cut off");
      }
      expect(await attemptFile(Uint8Array.from([...whole, 0]))).toBe("it is cut off");
    });

    it("is refused if a bit has flipped, or has not mattered", async () => {
      const random = new Random(3, 0);
      let refused = 0;
      for (let turn = 0; turn < 60; turn++) {
        const changed = whole.slice();
        const at = turn < 20 ? random.below(64) : random.below(whole.length);
        changed[at] ^= 1 << random.below(8);
        if ((await attemptFile(changed)) !== undefined) refused++;
      }
      expect(refused).toBeGreaterThan(50);
    });

    it("of another kind or version is refused by name", async () => {
      expect(await attemptFile(kernel.bytes)).toBe("it is not a saved machine of osv-vm");
      const newer = whole.slice();
      newer[8] = 2;
      expect(await attemptFile(newer)).toMatch(/^it has format 2 of saved machines/);
    });

    it("whose check sums are right and whose values are not is refused, or makes a machine that runs", async () => {
      const snapshot = await Snapshot.open(sourceOf(whole), nodeCompression);
      const original = await snapshot.load(new Map());
      let refused = 0;
      const TURNS = 200;
      for (let turn = 0; turn < TURNS; turn++) {
        const random = new Random(5, turn);
        const { machine: state } = mutated(original, random);
        const refusal = await attempt(() => restoreMachine(machine, state));
        if (refusal !== undefined) refused++;
      }
      expect(refused).toBeGreaterThan(TURNS / 4);
      expect(refused).toBeLessThan(TURNS);
    });
  });

  it("says what machine it needs", async () => {
    const snapshot = await Snapshot.open(sourceOf(undisturbed.state), nodeCompression);
    expect(describeMachine(new StateReader("file", snapshot.outline, 1).state("machine"))).toMatchObject({
      ramSize: RAM,
      deterministic: true,
      debugExit: { port: 0xf4, ports: 4 },
    });
  });
});

/** A copy with a few values, somewhere, that are others. RAM stays. */
function mutated(state: SavedState, random: Random): SavedState {
  const places: (string | number)[][] = [];
  const collect = (value: SavedValue, path: (string | number)[]): void => {
    if (Array.isArray(value)) for (const [index, item] of value.entries()) collect(item, [...path, index]);
    else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
      for (const [name, item] of Object.entries(value)) collect(item, [...path, name]);
      if (path.length > 0) places.push(path);
    } else if (path.at(-1) !== "ram") places.push(path);
  };
  collect(state, []);
  const chosen = Array.from({ length: 1 + random.below(3) }, () => random.pick(places).join("/"));
  const copy = (value: SavedValue, path: string): SavedValue => {
    if (chosen.includes(path)) return otherValue(value, random);
    const below = (name: string | number) => (path === "" ? String(name) : `${path}/${name}`);
    if (Array.isArray(value)) return value.map((item, index) => copy(item, below(index)));
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, copy(item, below(name))]));
  };
  return copy(state, "") as SavedState;
}

const STRANGE: readonly SavedValue[] = [
  ...[0, 1, -1, 0.5, 255, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 53, 1e300, Number.NaN, Number.POSITIVE_INFINITY],
  ...[0n, 1n, 2n ** 47n, 2n ** 63n, 2n ** 64n - 1n],
  ...[true, false, undefined, "", "\0", new Uint8Array(0), new Uint8Array(3).fill(255), [], {}],
];

/** Most often of the same type. */
function otherValue(value: SavedValue, random: Random): SavedValue {
  const alike = STRANGE.filter((other) => typeof other === typeof value);
  if (value instanceof Uint8Array && random.below(2) === 0) return value.map(() => random.below(256));
  if (typeof value === "bigint" && random.below(2) === 0)
    return BigInt(random.below(2 ** 30)) << BigInt(random.below(34));
  if (typeof value === "number" && random.below(2) === 0) return random.below(2 ** 30);
  return random.pick(random.below(4) === 0 || alike.length === 0 ? STRANGE : alike);
}
