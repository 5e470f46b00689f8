/**
 * Mutated programs, started by the kernel: each of them starts or is refused with a sentence, leaves nothing behind,
 * and when it starts it may do what it likes.
 */

import { ElfError } from "../../kernel/loader/elf.ts";
import { MMAP_MIN, USER_END } from "../../kernel/mm/layout.ts";
import type { Application } from "../../kernel/sched/application.ts";
import type { RegularInode } from "../../kernel/vfs/regular-file.ts";
import { Random } from "../fuzz/random.ts";
import { mutate } from "./elf-mutations.ts";
import { collectSeeds, LOADER, type Seed } from "./elf-seeds.ts";
import { HostileFailure } from "./hostile-failure.ts";
import { HostileSystem } from "./hostile-system.ts";

const RAM = 16 << 20;
/** One in so many of the programs that start is also run, for so many instructions at most. */
const RUN_ONE_IN = 4;
const RUN_INSTRUCTIONS = 6000;
/** A fresh machine after so many. */
const CASES_PER_MACHINE = 5000;
/** No single program may take longer than this, ms (a busy host included). */
const SLOW = 1000;
const TURNS = 200;

export interface ElfSummary {
  cases: number;
  started: number;
  run: number;
  /** By how they ended: "exit 42", "signal 11", "still running". */
  readonly ends: Map<string, number>;
  /** By the errno of the refusal. */
  readonly refusals: Map<number, number>;
  /** Different sentences, numbers aside. */
  readonly sentences: Set<string>;
  slowest: number;
}

function count<K>(map: Map<K, number>, key: K): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

export class ElfFuzzer {
  readonly summary: ElfSummary = {
    cases: 0,
    started: 0,
    run: 0,
    ends: new Map(),
    refusals: new Map(),
    sentences: new Set(),
    slowest: 0,
  };
  private readonly seeds: readonly Seed[] = collectSeeds();
  private system: HostileSystem | undefined;
  private image: RegularInode | undefined;
  private baseline = { frames: 0, areas: 0 };

  constructor(private readonly seed: number) {}

  private renew(): HostileSystem {
    const system = new HostileSystem({ ramSize: RAM, random: new Random(this.seed, -1) });
    this.image = system.file("image", 0o755);
    const loader = system.file(LOADER.slice(1), 0o755);
    const original = this.seeds.find(({ name }) => name === "handmade-pie") ?? this.seeds[0];
    loader.writeAt(0, original.bytes);
    const { frames, areas } = system.kernel.space;
    this.baseline = { frames: frames.free, areas: areas.size };
    return system;
  }

  async run(first: number, cases: number): Promise<ElfSummary> {
    for (let index = first; index < first + cases; index++) {
      if (this.system === undefined || index % CASES_PER_MACHINE === 0) this.system = this.renew();
      await this.runCase(this.system, index);
    }
    return this.summary;
  }

  private async runCase(system: HostileSystem, index: number): Promise<void> {
    const random = new Random(this.seed, index);
    const seed = random.pick(this.seeds);
    const { bytes, changes } = mutate(seed.bytes, random);
    const runs = random.below(RUN_ONE_IN) === 0;
    const fail = (what: string, cause?: unknown): never => {
      const repeat = `elf --seed ${this.seed} --first ${index} --cases 1`;
      throw new HostileFailure(`${seed.name} with changes of ${changes.join(", ")}: ${what}`, repeat, cause);
    };
    const started = performance.now();
    try {
      const application = await this.start(system, bytes);
      if (application !== undefined) {
        this.summary.started++;
        this.checkAreas(system);
        if (runs) await this.watch(system, application);
        system.kernel.lifecycle.killAll();
      }
      if (runs) await system.turn();
    } catch (error) {
      fail(String(error), error);
    }
    const { frames, areas } = system.kernel.space;
    if (frames.free !== this.baseline.frames) fail(`${this.baseline.frames - frames.free} frames are lost`);
    if (areas.size !== this.baseline.areas) fail(`${areas.size - this.baseline.areas} areas are left`);
    if (system.kernel.threads.size !== 0) fail("a thread is left");
    const time = performance.now() - started;
    this.summary.slowest = Math.max(this.summary.slowest, time);
    if (time > SLOW) fail(`took ${Math.round(time)} ms`);
    this.summary.cases++;
  }

  /** @returns undefined when the kernel refuses the program, properly */
  private async start(system: HostileSystem, bytes: Uint8Array): Promise<Application | undefined> {
    this.image?.setAttributes({ size: 0 });
    this.image?.writeAt(0, bytes);
    try {
      return await system.kernel.spawn("/image", ["image", "argument"], ["A=B"]);
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
      if (!/^[^\n]+: [^\n]+$/.test(error.message)) throw new Error(`not a sentence: ${error.message}`);
      if (/undefined|NaN|Infinity|\[object/.test(error.message))
        throw new Error(`no sense: ${error.message}`);
      count(this.summary.refusals, error.errno);
      this.summary.sentences.add(error.message.replace(/(0x)?\d[\da-f]*/g, "N"));
      return undefined;
    }
  }

  /** What was mapped is where programs may be. */
  private checkAreas(system: HostileSystem): void {
    let end = MMAP_MIN;
    for (const vma of system.kernel.space.areas) {
      if (vma.start % 4096 !== 0 || vma.end % 4096 !== 0)
        throw new Error(`an area at ${vma.start.toString(16)}`);
      if (vma.start < end || vma.end <= vma.start || vma.end > USER_END) {
        throw new Error(`an area from ${vma.start.toString(16)} to ${vma.end.toString(16)}`);
      }
      end = vma.end;
    }
  }

  private async watch(system: HostileSystem, application: Application): Promise<void> {
    const limit = system.gate.executed + RUN_INSTRUCTIONS;
    for (let turn = 0; turn < TURNS && system.gate.executed < limit; turn++) {
      await system.turn();
      if (application.exitStatus !== undefined) break;
      if (system.kernel.scheduler.runnable === 0) break;
    }
    this.summary.run++;
    const status = application.exitStatus;
    if (status === undefined) count(this.summary.ends, "still running");
    else if ((status & 0x7f) !== 0) count(this.summary.ends, `signal ${status & 0x7f}`);
    else count(this.summary.ends, `exit ${status >> 8}`);
  }
}
