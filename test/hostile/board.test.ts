/** Guests that mean harm to the devices: whatever they write where, the board answers in time and stays as small as it was. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSystemEngine } from "../../cli/engines.ts";
import { NodeMachineHost } from "../../cli/host/node-machine-host.ts";
import { Machine } from "../../devices/machine/machine.ts";
import { doSomething } from "../../devices/machine/testing/board-activity.ts";
import { createTestBoard } from "../../devices/machine/testing/test-board.ts";
import { SeededEntropy } from "../../kernel/deterministic-host.ts";
import { Random } from "../fuzz/random.ts";
import { missingCompiler } from "../harness/compiler.ts";
import { isFull } from "../harness/full.ts";
import { describeWith } from "../harness/requirements.ts";

const BOARDS = isFull ? 2000 : 100;
const STEPS = 2000;
const GUESTS = isFull ? 200 : 8;
const INSTRUCTIONS = 400_000;
const RAM = 4 << 20;

describe("a board", () => {
  it(`survives ${BOARDS} times ${STEPS} accesses to whatever there is, and answers with as many bits as were asked for`, () => {
    for (let seed = 0; seed < BOARDS; seed++) {
      const machine = createTestBoard();
      const random = new Random(11, seed);
      for (let step = 0; step < STEPS; step++) {
        const read = doSomething(machine, (below) => random.below(below));
        if (read === undefined) continue;
        const { value, size, where } = read;
        if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * size))
          expect.fail(`seed ${seed}, step ${step}: ${size} bytes of ${where} are ${value}`);
      }
      // What a guest can pile up is bounded: what the devices save is all that they hold.
      expect(JSON.stringify(machine.board.save(), plain).length).toBeLessThan(40_000);
    }
  });
});

/** A number of bytes stands for bytes, and bigints are written down. */
function plain(_name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return value.length;
  return typeof value === "bigint" ? value.toString() : value;
}

describeWith([missingCompiler("glibc")], "a machine", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "osv-vm-nonsense-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("runs guests that write nonsense to every port, register, configuration space and MSR", async () => {
    const { buildNonsenseGuest } = await import("./nonsense-guest.ts");
    const bytes = buildNonsenseGuest(folder);
    const ends = new Map<string, number>();
    let printed = 0;
    let limit = 0;
    const machine: Machine = new Machine({
      ramSize: RAM,
      host: new NodeMachineHost(new SeededEntropy()),
      createEngine: (cpu) => createSystemEngine({ engines: ["interp"] }, cpu),
      serial: { transmit: () => printed++ },
      debugOutput: () => printed++,
      debugExit: { port: 0xf4, ports: 4 },
      deterministic: true,
      version: "0",
      afterSlice: () => {
        if (machine.processor.instructionsExecuted >= limit) machine.pause();
      },
    });
    for (let seed = 1; seed <= GUESTS; seed++) {
      machine.bootKernel({ subject: "nonsense", bytes, commandLine: String(seed * 7919) });
      limit = machine.processor.instructionsExecuted + INSTRUCTIONS;
      // It may wait for something that never comes.
      const impatience = setInterval(() => machine.pause(), 2000);
      for (let turn = 0; turn < 200; turn++) {
        const { kind } = await machine.run();
        ends.set(kind, (ends.get(kind) ?? 0) + 1);
        if (kind === "paused" || kind === "triple-fault" || kind === "dead-halt") break;
      }
      clearInterval(impatience);
    }
    // It does find the ports that stop a machine, and it gets far.
    expect(ends.get("reset")).toBeGreaterThan(GUESTS / 4);
    expect(ends.get("paused")).toBeGreaterThan(GUESTS / 4);
    expect(printed).toBeGreaterThan(GUESTS);
  });
});
