/** What an AMD host is forgiven is exactly that, and an Intel one nothing. */

import { describe, expect, it } from "vitest";
import { createInstruction, DecodeResult, Decoder } from "../../cpu/decoder/decoder.ts";
import type { Instruction } from "../../cpu/decoder/instruction.ts";
import { Flag, Vector } from "../../cpu/state.ts";
import { analyse } from "./analysis.ts";
import { CODE } from "./arena.ts";
import { Case, FinalState } from "./case.ts";
import { isSame } from "./compare.ts";
import { VendorDifferences } from "./vendor-differences.ts";

const AMD = "AuthenticAMD";
const RCX = 1;

function decode(...bytes: number[]): Instruction {
  const instruction = createInstruction();
  const code = Uint8Array.from(bytes);
  expect(new Decoder().decode(code, 0, code.length, instruction)).toBe(DecodeResult.Ok);
  return instruction;
}

/** Two equal ends in a fault, to be made different. */
function faults(vector: number, address = 0n) {
  const [silicon, ours] = [new FinalState(), new FinalState()];
  for (const state of [silicon, ours]) {
    state.vector = vector;
    state.address = address;
    state.rip = BigInt(CODE.address);
  }
  return { silicon, ours };
}

describe("a repeated SCAS that faults", () => {
  const repneScasb = decode(0xf2, 0xae);

  function adjusted(
    vendor: string,
    instruction: Instruction,
    change: (silicon: FinalState) => void,
  ): boolean {
    const { silicon, ours } = faults(Vector.PF, 0x1000_4000n);
    change(silicon);
    new VendorDifferences(vendor).adjust(instruction, silicon, ours);
    return isSame(silicon, ours);
  }

  it("may have other status flags on AMD, not on Intel", () => {
    const change = (silicon: FinalState) => {
      silicon.rflags |= Flag.CF | Flag.AF;
    };
    expect(adjusted(AMD, repneScasb, change)).toBe(true);
    expect(adjusted("GenuineIntel", repneScasb, change)).toBe(false);
    expect(adjusted(AMD, decode(0xae), change)).toBe(false);
  });

  it("may not have another DF or RCX", () => {
    expect(adjusted(AMD, repneScasb, (silicon) => (silicon.rflags |= Flag.DF))).toBe(false);
    expect(adjusted(AMD, repneScasb, (silicon) => (silicon.gpr[RCX] = 1n << 32n))).toBe(false);
    // With 32-bit addresses ours has zero-extended RCX.
    expect(adjusted(AMD, decode(0xf2, 0x67, 0xae), (silicon) => (silicon.gpr[RCX] = 1n << 32n))).toBe(true);
    expect(adjusted(AMD, decode(0xf2, 0x67, 0xae), (silicon) => (silicon.gpr[RCX] = 1n))).toBe(false);
  });
});

describe("#GP there and #PF here", () => {
  function isExcused(instruction: Instruction, address: bigint): boolean {
    const { silicon, ours } = faults(Vector.GP);
    ours.vector = Vector.PF;
    ours.address = address;
    ours.gsBase = 0x1234_0000_1008n;
    return new VendorDifferences(AMD).excuses(instruction, new Case(), silicon, ours);
  }

  it("is right for an offset that is not canonical, by way of GS only", () => {
    const upper = 0xffff_8000_0000_1008n;
    expect(isExcused(decode(0x65, 0x8b, 0x00), upper)).toBe(true); // mov eax, gs:[rax]
    expect(isExcused(decode(0x8b, 0x00), upper)).toBe(false);
    expect(isExcused(decode(0x65, 0x8b, 0x00), 0x1234_0000_2008n)).toBe(false);
  });
});

describe("a case proves nothing", () => {
  function provesNothing(code: number[], changed: number, value: bigint, rip = 0): boolean {
    const initial = new Case();
    initial.rip = BigInt(CODE.address);
    initial.patch(CODE.address, Uint8Array.from(code));
    const { silicon } = faults(Vector.GP);
    silicon.rip = BigInt(CODE.address + rip);
    silicon.changes.set([BigInt(CODE.address + changed), value]);
    silicon.changeCount = 1;
    return analyse(initial, silicon).provesNothing;
  }

  it("if a repeated store has overwritten itself, not something else", () => {
    expect(provesNothing([0xf3, 0xaa, 0x90], 0, 0n)).toBe(true); // rep stosb
    expect(provesNothing([0xf3, 0xaa, 0x90], 8, 0n)).toBe(false);
    expect(provesNothing([0x90, 0xaa, 0x90], 0, 0n)).toBe(false);
  });

  it("if it has written the IRET that it ends in", () => {
    expect(provesNothing([0x90, 0x90, 0x90], 0, 0xcfn, 0)).toBe(true);
    expect(provesNothing([0x90, 0x90, 0x90], 0, 0x90n, 0)).toBe(false);
  });
});
