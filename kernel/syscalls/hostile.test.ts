import { describe, expect, it } from "vitest";
import { call, DATA, type Program, plain, ScriptedKernel } from "../testing/scripted-kernel.ts";
import { SYSCALL_TABLE } from "./table.ts";

const CALLS = 100_000;
const CALLS_PER_KERNEL = 400;

/** Values at the edges of what arguments mean. */
const INTERESTING = [
  0,
  0,
  0,
  1,
  1,
  2,
  3,
  4,
  7,
  8,
  16,
  24,
  63,
  64,
  100,
  128,
  255,
  256,
  1000,
  4095,
  4096,
  4097,
  65536,
  1 << 20,
  0x7fffffff,
  0x80000000,
  0xffffffff,
  2 ** 32,
  2 ** 47 - 4096,
  2 ** 47 - 1,
  2 ** 47,
  2 ** 53,
  2 ** 62,
  2 ** 63 - 1024,
  -1,
  -2,
  -100,
  -4096,
  -(2 ** 31),
  -(2 ** 47),
  -(2 ** 63),
  DATA,
  DATA,
  DATA,
  DATA + 1,
  DATA + 4096 - 4,
  DATA + 8192,
  DATA + (1 << 20) - 8,
  DATA + (1 << 20),
  0x7ffff7ffe000,
  0x22,
  0x32,
  0x10f00,
  0x4111,
];

/** Ends that are their purpose: left out so that the others get their turn. */
const FINAL = new Set(["exit", "exit_group", "reboot"]);

class Random {
  constructor(private state: number) {}
  below(limit: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * limit);
  }
}

function attack(random: Random, system: ScriptedKernel, results: number[]): Program {
  const numbers = SYSCALL_TABLE.filter(({ name, call: made }) => made !== undefined && !FINAL.has(name)).map(
    ({ number }) => number,
  );
  return function* () {
    const { memory } = system.kernel;
    for (let count = 0; count < CALLS_PER_KERNEL; count++) {
      // Structures in memory are as arbitrary as arguments.
      for (let word = 0; word < 8; word++) {
        const value = INTERESTING[random.below(INTERESTING.length)];
        if (memory.check(DATA, 64, true)) memory.writeI64(DATA + word * 8, value);
      }
      const number = random.below(50) === 0 ? random.below(600) - 50 : numbers[random.below(numbers.length)];
      const args = Array.from({ length: 6 }, () => INTERESTING[random.below(INTERESTING.length)]);
      if (FINAL.has(SYSCALL_TABLE.find((definition) => definition.number === number)?.name ?? "")) continue;
      results.push(yield call(number, ...args));
    }
  };
}

describe("system calls with arbitrary arguments", () => {
  it(`end in a result or a signal, never in an exception: ${CALLS} of them`, async () => {
    const random = new Random(20_240_601);
    const results: number[] = [];
    while (results.length < CALLS) {
      const system = new ScriptedKernel(1 << 20);
      system.orphanProgram = plain(() => {});
      const before = results.length;
      const application = system.start(attack(random, system, results));
      // Sleeps of centuries and waits for nothing: time moves on a little, then the program is killed.
      for (let turn = 0; turn < 60 && application.exitStatus === undefined; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
        if (system.panic !== undefined) throw system.panic;
        if (system.kernel.scheduler.runnable === 0 && !system.clock.fireNext()) break;
      }
      system.kernel.lifecycle.killAll();
      if (system.panic !== undefined) throw system.panic;
      expect(system.kernel.threads.size).toBe(0);
      if (results.length === before) results.push(0);
    }
    for (const result of results) expect(Number.isFinite(result)).toBe(true);
    expect(results.filter((result) => result >= 0).length).toBeGreaterThan(CALLS / 20);
  }, 120_000);
});
