import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROWS } from "../../cpu/decoder/rows.ts";
import { generateInterpreter } from "../../cpu/engines/interp/build.ts";
import { InterpreterEngine } from "../../cpu/engines/interp/engine.ts";
import { Flag } from "../../cpu/state.ts";
import { CODE, DATA, STACK } from "./arena.ts";
import { Case, FinalState, Outcome } from "./case.ts";
import { UserProcessor } from "./case-processor.ts";
import { isSame } from "./compare.ts";
import { EngineTarget } from "./engine-target.ts";
import { FaultyTarget } from "./faulty-target.ts";
import { Fuzzer, type FuzzerOptions, Pair } from "./fuzzer.ts";
import { Generator } from "./generate.ts";
import { hostVendor } from "./host-cpu.ts";
import { FCW_DEFAULT, FIXED_FLAGS, MXCSR_DEFAULT } from "./initial-state.ts";
import { decodeCase, describeFailure, encodeCase, neverHit, rowName } from "./report.ts";
import { NOT_DEFINED, selectRows } from "./selection.ts";
import { buildSilicon, hostFeatures, Silicon, SiliconUnavailable } from "./silicon.ts";
import { SystemCaseProcessor } from "./system-case-processor.ts";
import type { Target } from "./target.ts";
import { VendorDifferences } from "./vendor-differences.ts";

/** Why there is no oracle here, or undefined. */
function unavailable(): string | undefined {
  try {
    buildSilicon();
    return undefined;
  } catch (error) {
    // In CI a skip is a failure.
    if (error instanceof SiliconUnavailable && process.env.CI !== "true") return error.message;
    throw error;
  }
}

const host = new VendorDifferences(hostVendor());
const reason = unavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

function plainCase(...code: number[]): Case {
  const initial = new Case();
  initial.rip = BigInt(CODE.address);
  initial.rflags = FIXED_FLAGS;
  initial.fcw = FCW_DEFAULT;
  initial.mxcsr = MXCSR_DEFAULT;
  initial.gpr[4] = BigInt(STACK.address + 0x1000);
  initial.patch(CODE.address, Uint8Array.from(code));
  return initial;
}

describe.skipIf(reason !== undefined)("the silicon oracle", () => {
  let silicon: Silicon;
  beforeAll(() => {
    silicon = new Silicon();
  });
  afterAll(() => silicon.close());

  async function run(initial: Case): Promise<FinalState> {
    const results = [new FinalState()];
    await silicon.run([initial], results, 1);
    return results[0];
  }

  it("loads and returns every general register, vector register and flag", async () => {
    const initial = plainCase(0x90);
    for (let index = 0; index < 16; index++) initial.gpr[index] = 0x1111_1111_1111_1111n * BigInt(index);
    for (let index = 0; index < 8; index++) initial.fx.fill(index + 1, 32 + 16 * index, 42 + 16 * index);
    for (let index = 0; index < 256; index++) initial.fx[160 + index] = index;
    initial.rflags = FIXED_FLAGS | 0xcd5;
    initial.mxcsr = 0xffbf;
    initial.ftw = 0x81;
    initial.fsw = 0x4720;
    const end = await run(initial);
    expect(end.vector).toBe(3);
    expect(end.rip).toBe(BigInt(CODE.address + 2));
    expect([...end.gpr]).toEqual([...initial.gpr]);
    expect(end.rflags).toBe(initial.rflags);
    expect([end.fcw, end.fsw, end.ftw, end.mxcsr]).toEqual([
      initial.fcw,
      initial.fsw,
      initial.ftw,
      initial.mxcsr,
    ]);
    expect([...end.fx.subarray(32)]).toEqual([...initial.fx.subarray(32)]);
    expect(end.changeCount).toBe(0);
  });

  it("reports changed memory and puts it back for the next case", async () => {
    const store = plainCase(0x88, 0x01); // mov [rcx], al
    store.gpr[0] = 0x42n;
    store.gpr[1] = BigInt(DATA.address + 16);
    store.patch(DATA.address + 16, new Uint8Array(8));
    const first = await run(store);
    expect([first.changeCount, first.changes[0], first.changes[1]]).toEqual([
      1,
      BigInt(DATA.address + 16),
      0x42n,
    ]);
    const load = plainCase(0x8a, 0x01); // mov al, [rcx]
    load.gpr[1] = BigInt(DATA.address + 16);
    const patched = plainCase(0x8a, 0x01);
    patched.gpr[1] = BigInt(DATA.address + 16);
    patched.patch(DATA.address + 16, Uint8Array.of(0x99));
    const original = (await run(load)).gpr[0];
    expect((await run(patched)).gpr[0]).toBe(0x99n);
    expect((await run(load)).gpr[0]).toBe(original);
  });

  it.each([
    ["a page fault", [0x8a, 0x01], DATA.address + DATA.size, 14, 4, BigInt(DATA.address + DATA.size)],
    ["a write to read-only memory", [0x88, 0x01], DATA.address - 1, 14, 7, BigInt(DATA.address - 1)],
    ["an undefined instruction", [0x0f, 0x0b], 0, 6, 0, 0n],
    ["a division by zero", [0xf7, 0xf1], 0, 0, 0, 0n],
    ["a privileged instruction", [0xf4], 0, 13, 0, 0n],
    ["a system call", [0x0f, 0x05], 0, Outcome.SystemCall, 0, 0n],
    ["an endless loop", [0xeb, 0xfe], 0, Outcome.TimedOut, 0, 0n],
  ])("survives %s and says what happened", async (_, code, rcx, vector, error, address) => {
    const initial = plainCase(...code);
    initial.gpr[1] = BigInt(rcx);
    const end = await run(initial);
    expect([end.vector, end.error, end.address]).toEqual([vector, error, address]);
    expect((await run(plainCase(0x90))).vector).toBe(3);
  });

  it("gives the same results when cases run again in another order", async () => {
    const { rows } = selectRows([], hostFeatures());
    const generator = new Generator({ seed: 5, rows, length: 8, host });
    const cases = Array.from({ length: 200 }, (_, index) => {
      const initial = new Case();
      generator.generate(index, initial);
      return initial;
    });
    const make = () => cases.map(() => new FinalState());
    const [forward, backward] = [make(), make()];
    await silicon.run(cases, forward, cases.length);
    await silicon.run([...cases].reverse(), backward, cases.length);
    expect(backward.reverse().map((end, index) => isSame(end, forward[index]))).toEqual(
      forward.map(() => true),
    );
  });
});

describe("the generator", () => {
  it("makes the same cases from the same seed, and others from another", () => {
    const { rows } = selectRows([], hostFeatures());
    const bytesOf = (seed: number) => {
      const generator = new Generator({ seed, rows, length: 24, host });
      const initial = new Case();
      return Array.from({ length: 50 }, (_, index) => {
        generator.generate(index, initial);
        return Buffer.from(initial.bytes.subarray(0, initial.size)).toString("hex");
      });
    };
    expect(bytesOf(1)).toEqual(bytesOf(1));
    expect(bytesOf(1)).not.toEqual(bytesOf(2));
  });

  it("makes cases that survive the trip through a command line", () => {
    const { rows } = selectRows([], hostFeatures());
    const initial = new Case();
    new Generator({ seed: 1, rows, length: 24, host }).generate(1, initial);
    const copy = decodeCase(encodeCase(initial));
    expect([...copy.bytes.subarray(0, copy.size)]).toEqual([...initial.bytes.subarray(0, initial.size)]);
    expect(() => decodeCase("nonsense")).toThrow(RangeError);
  });
});

async function fuzz(
  options: Pick<FuzzerOptions, "oracle" | "subject" | "cases" | "stopAfter">,
  only: string[] = [],
) {
  const selection = selectRows(only, hostFeatures());
  const generator = new Generator({ seed: 1, rows: selection.rows, length: 24, host });
  const summary = await new Fuzzer({ ...options, host, generator, rowCount: ROWS.length }).run();
  return { selection, summary };
}

describe.skipIf(reason !== undefined)("the fuzzer", () => {
  let silicon: Silicon;
  beforeAll(() => {
    silicon = new Silicon();
  });
  afterAll(() => silicon.close());

  it("finds no difference between the host CPU and itself", async () => {
    const other = new Silicon();
    const { summary } = await fuzz({ oracle: silicon, subject: other, cases: 10_000, stopAfter: 1 });
    other.close();
    expect([...summary.failures.values()].map(describeFailure).join("\n")).toBe("");
    expect(summary.failed).toBe(0);
  });

  it.each([
    ["adc", 0x10, "ADC that forgets the carry"],
    ["cmovl", 0x01, "CMOVL that moves on the opposite condition"],
    ["paddsb", 0x10, "PADDSB that does not saturate"],
  ])("finds a bug in %s", async (mnemonic, xor) => {
    const subject = new FaultyTarget(silicon, mnemonic, xor);
    const { summary } = await fuzz({ oracle: silicon, subject, cases: 30_000, stopAfter: 1 });
    const [failure] = summary.failures.values();
    expect(failure.instructions).toMatch(new RegExp(`\\b${mnemonic}\\b`));
  });

  it("shrinks a failing sequence to the instruction that is wrong, and the command repeats it", async () => {
    const subject = new FaultyTarget(silicon, "sbb", 0x30); // SUB in place of SBB
    const { summary } = await fuzz({ oracle: silicon, subject, cases: 20_000, stopAfter: 1 }, [
      "sbb",
      "add",
      "xor",
    ]);
    const [failure] = summary.failures.values();
    // Perhaps with the instruction that makes the carry it subtracts.
    const left = failure.analysis.steps.map(({ mnemonic }) => mnemonic).filter((name) => name !== "nop");
    expect(left.length).toBeLessThanOrEqual(2);
    expect(left).toContain("sbb");
    const text = describeFailure(failure);
    expect(text).toContain("sbb ");
    const command = /--case (\S+)/.exec(text)?.[1] ?? "";
    expect(await new Pair(silicon, subject, host).verdict(decodeCase(command))).toBeDefined();
    expect(await new Pair(silicon, silicon, host).verdict(decodeCase(command))).toBeUndefined();
  });
});

describe.skipIf(reason !== undefined)("the interpreter", () => {
  let silicon: Silicon;
  let interpreter: Target;
  let system: Target;
  beforeAll(async () => {
    silicon = new Silicon();
    const code = generateInterpreter();
    interpreter = new EngineTarget(
      new UserProcessor((cpu) => new InterpreterEngine(cpu, code, { pairsAfter: 0 })),
    );
    system = new EngineTarget(
      new SystemCaseProcessor((cpu) => new InterpreterEngine(cpu, code, { pairsAfter: 0 })),
      { name: "system" },
    );
  });
  afterAll(() => silicon.close());

  it.each([
    ["VPCMPESTRM with VEX.W takes all of RAX and RDX as lengths", [0xc4, 0xe3, 0xf9, 0x60, 0xc0, 0x49]],
    ["VPCMPESTRI with VEX.W takes all of RAX and RDX as lengths", [0xc4, 0xe3, 0xf9, 0x61, 0xc0, 0x49]],
    ["VPCMPESTRM without VEX.W takes EAX and EDX", [0xc4, 0xe3, 0x79, 0x60, 0xc0, 0x49]],
  ])("does as the host CPU: %s", async (_, code) => {
    const initial = plainCase(...code);
    initial.gpr[2] = 1n << 40n;
    const verdict = await new Pair(silicon, interpreter, host).verdict(initial);
    expect(verdict?.differences).toBeUndefined();
  });

  it("does as the host CPU: VMOVDDUP of 256 bits reads 32 bytes", async () => {
    for (const bytes of [32, 31, 24, 16, 8]) {
      const initial = plainCase(0xc4, 0x41, 0x7f, 0x12, 0x28); // vmovddup ymm13, [r8]
      initial.gpr[8] = BigInt(DATA.address + DATA.size - bytes);
      const verdict = await new Pair(silicon, interpreter, host).verdict(initial);
      expect(verdict?.differences, `${bytes} bytes before the end`).toBeUndefined();
    }
  });

  it.each([
    ["an instruction", [0x90, 0x90]],
    ["a jump to where nothing is", [0xe9, 0, 0, 0, 0x10]],
    ["an iteration of REP MOVSB", [0xf3, 0xa4]],
    ["an iteration of REP STOSQ with 32-bit addresses", [0x67, 0xf3, 0x48, 0xab]],
    ["an iteration of REPE CMPSB", [0xf3, 0xa6]],
    ["an iteration of REPNE SCASB", [0xf2, 0xae]],
    ["PUSHF, which pushes TF", [0x9c, 0x90]],
    ["POPF, which clears TF", [0x48, 0xc7, 0x04, 0x24, 0x02, 0x02, 0, 0, 0x9d, 0x90]],
    ["MOV SS and the instruction behind it", [0x8e, 0xd0, 0x90, 0x90]],
    ["POP SS, which does not exist", [0x17]],
    ["INT3", [0xcc]],
    ["a fault", [0x0f, 0x0b]],
  ])("stops where the host CPU does in a single step: %s", async (_, code) => {
    for (const rcx of [0n, 1n, 2n, 30n, (1n << 40n) | 5n]) {
      const initial = plainCase(...code);
      initial.rflags |= Flag.TF;
      initial.gpr.set([0x2bn, rcx], 0);
      initial.gpr[6] = BigInt(DATA.address + 64);
      initial.gpr[7] = BigInt(DATA.address + 256);
      for (const subject of [interpreter, system]) {
        const verdict = await new Pair(silicon, subject, host).verdict(initial);
        expect(verdict?.differences, `${subject.name}, RCX = ${rcx}`).toBeUndefined();
      }
    }
  });

  it("agrees with the host CPU on every instruction, alone and in sequences", async () => {
    const { summary, selection } = await fuzz({
      oracle: silicon,
      subject: interpreter,
      cases: 20_000,
      stopAfter: 10,
    });
    const failures = [...summary.failures.values()].map(
      (failure) => `${failure.instructions}: ${failure.kind}\n${describeFailure(failure)}`,
    );
    expect(failures.join("\n\n")).toBe("");
    expect([...summary.encodingMismatches]).toEqual([]);
    expect(neverHit(summary, selection.rows).map(rowName)).toEqual([]);
    expect((selection.skipped.get(NOT_DEFINED) ?? []).map(rowName)).toEqual([]);
  });
});
