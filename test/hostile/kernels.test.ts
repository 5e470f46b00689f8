/** Kernels with damaged headers, and initrds of any length: they are started or refused in a sentence, and nothing else. */

import { beforeAll, describe, expect, it } from "vitest";
import { createSystemEngine } from "../../cli/engines.ts";
import { NodeMachineHost } from "../../cli/host/node-machine-host.ts";
import { BootError } from "../../devices/boot/boot-error.ts";
import { type Kernel, Machine } from "../../devices/machine/machine.ts";
import { SeededEntropy } from "../../kernel/deterministic-host.ts";
import { Random } from "../fuzz/random.ts";
import { isFull } from "../harness/full.ts";
import { type KernelSeed, kernelSeeds } from "./kernel-seeds.ts";

const KERNELS = isFull ? 50_000 : 1000;
const RAM = 8 << 20;
/** How often a started one is let run: some thousand instructions each time. */
const SLICES = 3;
/** What is believed to be a size, an address or a number of something. */
const INTERESTING = [
  ...[0n, 1n, 3n, 4n, 0x7fn, 0x80n, 0xffn, 0x100n, 0x7fffn, 0x8000n, 0xffffn, 0x10000n, 0x100000n, 0x7fffffn],
  ...[0x800000n, 0x7fffffffn, 0x80000000n, 0xfffff000n, 0xffffffffn, 0x100000000n, 0xffffffff81000123n],
  ...[0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn],
];

function damaged(seed: KernelSeed, random: Random): Uint8Array {
  const bytes = seed.bytes.slice();
  const view = new DataView(bytes.buffer);
  for (let change = random.below(4); change >= 0; change--) {
    const [start, length] = random.pick(seed.headers);
    const size = random.pick([1, 2, 4, 8] as const);
    const at = Math.min(start + random.below(length), bytes.length - size);
    const value = random.below(3) === 0 ? random.u64() : random.pick(INTERESTING);
    for (let byte = 0; byte < size; byte++)
      view.setUint8(at + byte, Number((value >> BigInt(8 * byte)) & 0xffn));
  }
  return random.below(4) === 0 ? bytes.slice(0, random.below(bytes.length)) : bytes;
}

describe("damaged kernels", () => {
  let machine: Machine;
  let slices = 0;
  beforeAll(() => {
    machine = new Machine({
      ramSize: RAM,
      host: new NodeMachineHost(new SeededEntropy()),
      createEngine: (cpu) => createSystemEngine({ engines: ["interp"] }, cpu),
      serial: { transmit: () => {} },
      debugOutput: () => {},
      deterministic: true,
      version: "0",
      afterSlice: () => {
        if (--slices <= 0) machine.pause();
      },
    });
  });

  /** @returns the sentence of a refusal, or how the run has ended */
  const start = async (kernel: Kernel): Promise<{ refusal?: string; end?: string }> => {
    try {
      machine.bootKernel(kernel);
    } catch (error) {
      if (!(error instanceof BootError)) throw error;
      expect(error.message).toMatch(/^(kernel|initrd): [^\n]+$/);
      expect(error.message).not.toMatch(/undefined|NaN|Infinity|\[object|-\d+ (bytes|MiB)/);
      return { refusal: error.message };
    }
    slices = SLICES;
    const impatience = setTimeout(() => machine.pause(), 500);
    const { kind } = await machine.run();
    clearTimeout(impatience);
    return { end: kind };
  };

  it("are all started as long as they are whole", async () => {
    for (const { name, bytes } of kernelSeeds()) {
      expect(await start({ subject: "kernel", bytes, commandLine: "a" }), name).toEqual({ end: "dead-halt" });
    }
  });

  it(`start or are refused: ${KERNELS} of them`, async () => {
    const seeds = kernelSeeds();
    const sentences = new Set<string>();
    let started = 0;
    for (let index = 0; index < KERNELS; index++) {
      const random = new Random(17, index);
      const seed = random.pick(seeds);
      const initrd = { subject: "initrd", bytes: new Uint8Array(random.pick([0, 1, 4096, 70_000, RAM])) };
      const kernel = {
        subject: "kernel",
        bytes: damaged(seed, random),
        commandLine: "x".repeat(random.pick([0, 5, 3000, 100_000])),
        ...(random.below(3) === 0 && { initrd }),
      };
      try {
        const { refusal } = await start(kernel);
        if (refusal === undefined) started++;
        else sentences.add(refusal.replace(/\d+/g, "N"));
      } catch (error) {
        throw new Error(`${seed.name}, number ${index}: ${error}`, { cause: error });
      }
    }
    expect(started).toBeGreaterThan(KERNELS / 10);
    expect(sentences.size).toBeGreaterThan(20);
  });
});
