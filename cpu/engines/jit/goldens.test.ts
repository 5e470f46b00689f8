/**
 * What the hot dozen instructions compile to: goldens/ holds the code and its size, so that a review shows when it gets
 * better or worse. After a change on purpose: npm run goldens
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TLB_ADDEND, TLB_READ, TLB_WRITE } from "../../../mmu/tlb.ts";
import {
  EXIT_BUDGET,
  EXIT_RECORD,
  FLAG_CARRIES,
  FLAG_CARRY,
  FLAG_SIGN,
  FLAG_ZERO,
  GPR,
  JUMP_CACHE,
  MXCSR,
  RIP,
  SCRATCH,
  TLB,
  XMM,
  XMM_STRIDE,
} from "../../state.ts";
import { functionsOf, type WasmNames } from "../../wasm/disassemble.ts";
import {
  CODE,
  COMPILE_ALL,
  COMPILE_ALL_FIRST,
  DATA,
  EngineMachine,
  INT3,
  interpreterCode,
} from "../testing/machine.ts";
import { RegionCompiler } from "./compiler.ts";
import { JitEngine } from "./engine.ts";

/** Name of the golden file, instructions, their bytes. */
const CASES: readonly (readonly [name: string, text: string, code: readonly number[]])[] = [
  ["mov-register", "mov rax, rbx", [0x48, 0x89, 0xd8]],
  ["mov-load", "mov rax, [rbx+8]", [0x48, 0x8b, 0x43, 8]],
  ["mov-store", "mov [rbx+8], rax", [0x48, 0x89, 0x43, 8]],
  ["movzx-load", "movzx eax, byte [rbx+rcx]", [0x0f, 0xb6, 0x04, 0x0b]],
  ["lea", "lea rax, [rbx+rcx*4+16]", [0x48, 0x8d, 0x44, 0x8b, 16]],
  ["add-register", "add rax, rbx", [0x48, 0x01, 0xd8]],
  ["add-dead-flags", "add rax, rbx; sub rcx, 1", [0x48, 0x01, 0xd8, 0x48, 0x83, 0xe9, 1]],
  ["add-memory", "add [rbx], eax", [0x01, 0x03]],
  ["xor-zero", "xor eax, eax", [0x31, 0xc0]],
  ["cmp-jump", "cmp rax, rbx; jl +16", [0x48, 0x39, 0xd8, 0x7c, 16]],
  ["test-jump", "test eax, eax; je +16", [0x85, 0xc0, 0x74, 16]],
  ["loop", "dec ecx; jnz -4", [0xff, 0xc9, 0x75, 0xfc]],
  ["shl", "shl rax, 3", [0x48, 0xc1, 0xe0, 3]],
  ["push", "push rbx", [0x53]],
  ["pop", "pop rbx", [0x5b]],
  ["call", "call +16", [0xe8, 16, 0, 0, 0]],
  ["ret", "ret", [0xc3]],
  ["movsd-load", "movsd xmm0, [rbx]", [0xf2, 0x0f, 0x10, 0x03]],
  ["addsd", "addsd xmm0, xmm1", [0xf2, 0x0f, 0x58, 0xc1]],
  ["paddd", "paddd xmm0, xmm1", [0x66, 0x0f, 0xfe, 0xc1]],
];

const FIELDS = new Map<number, string>([
  ...["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"].map(
    (name, index) => [GPR + 8 * index, name] as const,
  ),
  ...Array.from({ length: 8 }, (_, index) => [XMM + index * XMM_STRIDE, `xmm${index}`] as const),
  [RIP, "rip"],
  [FLAG_ZERO, "zero"],
  [FLAG_SIGN, "sign"],
  [FLAG_CARRIES, "carries"],
  [FLAG_CARRY, "carry"],
  [MXCSR, "mxcsr"],
  [EXIT_RECORD, "exit record"],
  [EXIT_BUDGET, "exit budget"],
  [SCRATCH, "scratch"],
  [TLB + TLB_READ, "TLB read"],
  [TLB + TLB_WRITE, "TLB write"],
  [TLB + TLB_ADDEND, "TLB addend"],
  [JUMP_CACHE, "jump cache"],
]);

const names: WasmNames = {
  local: (index) => ["state", "record", "budget"][index],
  offset: (offset) => FIELDS.get(offset),
};

describe("the JIT compiles", () => {
  const { Module } = WebAssembly;
  let compiled: Uint8Array[] = [];
  beforeAll(() => {
    interpreterCode();
    WebAssembly.Module = class extends Module {
      constructor(bytes: Uint8Array<ArrayBuffer>) {
        super(bytes);
        compiled.push(bytes);
      }
    } as typeof Module;
  }, 120_000);
  afterAll(() => {
    WebAssembly.Module = Module;
  });

  /** The code of the region that begins with these instructions; behind them is one that regions do not contain. */
  function compile(code: readonly number[], thresholds: typeof COMPILE_ALL): string[] {
    compiled = [];
    const machine = new EngineMachine(
      (cpu) => new JitEngine(cpu, interpreterCode(), (host) => new RegionCompiler(host), thresholds),
      [...code, INT3],
    );
    machine.cpu.setGpr(3, DATA);
    machine.cpu.setGpr(1, 10);
    machine.run(20);
    for (const bytes of compiled) {
      const region = functionsOf(bytes, { names }).get(`region_${CODE.toString(16)}`);
      if (region !== undefined) return [`${region.bytes} bytes`, ...region.lines];
    }
    return ["not compiled"];
  }

  it.each(CASES)("%s as it always did: %s", async (name, text, code) => {
    const bytes = code.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const lines = [
      text,
      bytes,
      "",
      "--- loops that run for long",
      ...compile(code, COMPILE_ALL),
      "",
      "--- first tier",
      ...compile(code, COMPILE_ALL_FIRST),
    ];
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(`goldens/${name}.golden.txt`);
  });
});
