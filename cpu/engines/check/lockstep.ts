/**
 * Two processors with an engine each over one guest RAM: what one has executed can be undone, so that the other executes
 * it from the same state. What is asked of the world is answered alike to both.
 */

import { PAGE_SIZE } from "../../../mmu/translator.ts";
import type { Cpu, CpuHost } from "../../cpu.ts";
import type { Engine, Exit } from "../../engine.ts";
import { CONTEXT_SIZE, JUMP_CACHE, JUMP_CACHE_ENTRIES, JUMP_CACHE_ENTRY_SHIFT } from "../../state.ts";
import { Answers, type Asker } from "./answers.ts";
import { JournaledTlb, PageJournal, samePage } from "./page-journal.ts";

/** 0: the engine that goes first; 1: the one that must do the same. */
export type Turn = 0 | 1;

/** One engine, its processor and what watches over it. */
export interface Side {
  readonly cpu: Cpu;
  engine: Engine;
  readonly tlb: JournaledTlb;
  readonly asker: Asker;
}

/** A state that both can be put into. Pages that are not in it are as they were when the stretch began. */
export interface Snapshot {
  readonly context: Uint8Array;
  readonly pages: ReadonlyMap<number, Int32Array>;
  /** Questions asked of the world until then. */
  readonly asked: number;
}

/** An engine that threw: a bug of its own, and a way to stop that no other engine shares. */
export class EngineCrash {
  constructor(readonly error: unknown) {}
}

export class Lockstep {
  readonly sides: readonly [Side, Side];
  readonly journal: PageJournal;
  /** The context when the stretch began. */
  readonly start = new Uint8Array(CONTEXT_SIZE);
  private readonly answers: Answers;

  /** @param cpu the first engine's, which the world sees; it must have room for another */
  constructor(cpu: Cpu, create: readonly [(cpu: Cpu) => Engine, (cpu: Cpu) => Engine]) {
    const world: CpuHost = cpu.host;
    this.answers = new Answers(world);
    this.journal = new PageJournal(cpu.ram);
    const side = (which: Cpu, make: (cpu: Cpu) => Engine): Side => {
      const asker = this.answers.asker();
      which.host = asker;
      return { cpu: which, engine: make(which), tlb: new JournaledTlb(which.mmu, this.journal), asker };
    };
    this.sides = [side(cpu, create[0]), side(cpu.another(world), create[1])];
  }

  /** A stretch begins at the state that the first processor is in. */
  begin(): void {
    this.sides[0].cpu.saveContext(this.start);
    this.journal.begin();
    this.answers.begin();
  }

  execute(turn: Turn, budget: number): Exit | EngineCrash {
    const { engine, tlb } = this.sides[turn];
    tlb.begin();
    try {
      return engine.run(budget);
    } catch (error) {
      return new EngineCrash(error);
    } finally {
      tlb.end();
    }
  }

  /** Puts RAM back as it was when the stretch began; returns what it held, to be given to {@link sameMemory}. */
  undo(): Map<number, Int32Array> {
    const { journal } = this;
    const after = new Map<number, Int32Array>();
    for (const { physical, before } of journal.pages.values()) {
      after.set(physical, journal.copy(physical));
      journal.live(physical).set(before);
    }
    return after;
  }

  /** Does RAM hold what it held when it was undone? Takes the copies back. */
  sameMemory(after: ReadonlyMap<number, Int32Array>): boolean {
    const { journal } = this;
    let same = true;
    for (const { physical, before } of journal.pages.values()) {
      same &&= samePage(journal.live(physical), after.get(physical) ?? before);
    }
    for (const copy of after.values()) journal.release(copy);
    return same;
  }

  /** Gives a processor another engine, which has seen nothing yet. */
  replaceEngine(turn: Turn, create: (cpu: Cpu) => Engine): void {
    const side = this.sides[turn];
    const { cpu } = side;
    cpu.mmu.tlb.flush();
    cpu.mmu.codePages.clear();
    cpu.stateBytes(JUMP_CACHE, JUMP_CACHE_ENTRIES << JUMP_CACHE_ENTRY_SHIFT).fill(0);
    side.engine = create(cpu);
  }

  // ---- any state of a stretch, again and again ----

  /** The state that one of them is in. */
  snapshot(turn: Turn): Snapshot {
    const { cpu, asker } = this.sides[turn];
    const context = new Uint8Array(CONTEXT_SIZE);
    cpu.saveContext(context);
    const pages = new Map<number, Int32Array>();
    for (const physical of this.journal.pages.keys())
      pages.set(physical, this.journal.live(physical).slice());
    return { context, pages, asked: asker.position };
  }

  /** The state in which the stretch began. */
  get beginning(): Snapshot {
    return { context: this.start.slice(), pages: new Map(), asked: 0 };
  }

  restore({ context, pages, asked }: Snapshot): void {
    for (const { physical, before } of this.journal.pages.values()) {
      const live = this.journal.live(physical);
      const wanted = pages.get(physical) ?? before;
      if (samePage(live, wanted)) continue;
      live.set(wanted);
      for (const { cpu, engine } of this.sides) {
        if (cpu.mmu.codePages.hasCode(physical)) engine.invalidatePhysical(physical, PAGE_SIZE);
      }
    }
    for (const { cpu, asker } of this.sides) {
      cpu.loadContext(context);
      asker.position = asked;
    }
  }
}
