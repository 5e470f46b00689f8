/**
 * The JavaScript engine: every block of guest code becomes a JavaScript function that a person can read and step through
 * in a debugger (docs/debugging.md). It keeps the whole state exact at every instruction, flags that nobody reads
 * included; it is the reference for the faster engines.
 */

import type { Cpu } from "../../cpu.ts";
import { type CodeObserver, type Engine, Exit } from "../../engine.ts";
import { GuestException, helperNamed } from "../../helpers.ts";
import "../../helpers/index.ts";
import { EXIT_BUDGET, Vector } from "../../state.ts";
import { CodeIndex, type IndexedCode, physicalRanges } from "../code-index.ts";
import { noteException } from "../exception-state.ts";
import { UnloadedCode } from "../interp/loaded-code.ts";
import type { InterpreterCode } from "../interp/parts.ts";
import { createRecordFacts } from "../interp/record-facts.ts";
import { TraceTranslator } from "../interp/trace.ts";
import { nonCanonicalVector } from "../stack-segment.ts";
import { generateBlock } from "./block-code.ts";
import { address } from "./code-text.ts";
import { createRuntime, NonCanonicalAccess, type Runtime } from "./runtime.ts";
import { BlockTranslator, type TranslatedBlock } from "./translator.ts";

/** Beyond ±2^47 an address is not canonical: #GP. */
const CANONICAL_LIMIT = 0x800000000000;
/** So many blocks are kept: some 10 KB each, with V8's code. */
const BLOCK_LIMIT = 20_000;
const SINGLE = 1;

export interface JsOptions {
  /** Gives the value of a JavaScript expression, in the scope of a script: indirect eval, or node:vm. */
  readonly evaluate: (text: string) => unknown;
  /** The text of the instruction that these bytes begin with, such as `mov rax, rbx`; without it code shows bytes only. */
  readonly disassemble?: ((code: Uint8Array, rip: number) => string) | undefined;
  /** Source maps to listings of the guest's instructions: they take a third of the time of translation. */
  readonly sourceMaps?: boolean;
  /** An attached debugger stops before the first instruction. */
  readonly stopAtStart?: boolean;
  readonly observer?: CodeObserver | undefined;
}

export interface JsStatistics {
  instructions: number;
  blocks: number;
  blockInstructions: number;
  invalidations: number;
  flushes: number;
}

interface JsBlock extends IndexedCode {
  /** Its code has changed, or its address means something else now. */
  isStale: boolean;
  /** Executes it. @returns the address to go on at, or NaN: see {@link Interruption} */
  readonly run: () => number;
  /** Addresses of its instructions. */
  readonly rips: readonly number[];
  readonly isSingle: boolean;
  /** Where control went from here: the two latest ways. */
  recent: JsBlock | undefined;
  earlier: JsBlock | undefined;
}

/** Why a block has not run to its end, or the run with it. */
interface Interruption {
  rip: number;
  /** Instructions of the block that are complete. */
  completed: number;
  /** Why the run ends; 0 if it goes on at `rip`. */
  exit: Exit | 0;
}

type BlockFactory = (
  runtime: Runtime,
  block: { readonly isStale: boolean },
  helpers: Readonly<Record<string, () => void>>,
) => () => number;

export class JsEngine implements Engine {
  readonly name = "js";
  readonly statistics: JsStatistics = {
    instructions: 0,
    blocks: 0,
    blockInstructions: 0,
    invalidations: 0,
    flushes: 0,
  };
  private readonly decoding: TraceTranslator;
  private readonly translator: BlockTranslator;
  private readonly runtime: Runtime;
  private readonly runtimeNames: readonly string[];
  private readonly helpers: Readonly<Record<string, () => void>>;
  private readonly byRip = new Map<number, JsBlock>();
  /** Blocks of one instruction each, for the ends of budgets. */
  private readonly singles = new Map<number, JsBlock>();
  private readonly index = new CodeIndex<JsBlock>();
  private readonly versions = new Map<number, number>();
  private readonly stops = new Set<number>();
  private stopAtStart: boolean;
  private current: JsBlock | undefined;
  private readonly interruption: Interruption = { rip: 0, completed: 0, exit: 0 };

  /**
   * @param code the generated interpreter (interp/build.ts): its handler table says which forms there are
   */
  constructor(
    private readonly cpu: Cpu,
    code: InterpreterCode,
    private readonly options: JsOptions,
  ) {
    const { buffer } = cpu.memory;
    const facts = createRecordFacts(buffer, cpu.factBase, cpu.recordCount);
    this.decoding = new TraceTranslator(
      new Uint8Array(buffer),
      cpu.recordBase,
      cpu.mmu,
      new UnloadedCode(code),
      cpu.model.features,
      facts,
      cpu.stops,
    );
    this.translator = new BlockTranslator(cpu.mmu, this.decoding);
    this.runtime = createRuntime(cpu, {
      fault: (error, rip) => this.fault(error, rip),
      exit: (reason, next) => this.interrupt(next, this.current?.rips.length ?? 0, reason as Exit),
      interrupted: (rip) => this.interrupt(rip, this.completedBefore(rip), 0),
    });
    this.runtimeNames = Object.keys(this.runtime);
    this.helpers = boundHelpers(cpu);
    this.stopAtStart = options.stopAtStart === true;
    cpu.mmu.listener = { codeWritten: (physical, length) => this.invalidatePhysical(physical, length) };
  }

  run(budget: number): Exit {
    const { cpu, interruption } = this;
    cpu.updateAlignmentCheck();
    let left = budget;
    let { rip } = cpu;
    let exit: Exit = Exit.Budget;
    if (this.stopAtStart) {
      this.stopAtStart = false;
      this.stopAt(rip);
    }
    let previous: JsBlock | undefined;
    while (left > 0) {
      let block: JsBlock;
      try {
        block = this.successor(previous, rip);
        if (block.rips.length > left) block = this.single(rip);
      } catch (error) {
        this.raise(error, rip);
        exit = Exit.Exception;
        break;
      }
      this.current = block;
      const next = block.run();
      if (Number.isNaN(next)) {
        left -= interruption.completed;
        ({ rip } = interruption);
        previous = undefined;
        if (interruption.exit === 0) continue;
        ({ exit } = interruption);
        break;
      }
      left -= block.rips.length;
      rip = next;
      previous = block;
    }
    cpu.rip = rip;
    cpu.setI32(EXIT_BUDGET, left);
    this.statistics.instructions += budget - left;
    return exit;
  }

  /** A debugger that is attached stops whenever the instruction at an address is about to be executed. */
  stopAt(rip: number): void {
    this.stops.add(rip);
    this.invalidateVirtual(rip, 1);
  }

  // ---- blocks ----

  /** @throws PageFault, GuestException */
  private successor(previous: JsBlock | undefined, rip: number): JsBlock {
    if (previous === undefined) return this.blockAt(rip);
    const { recent, earlier } = previous;
    if (recent !== undefined && recent.rip === rip && !recent.isStale) return recent;
    const block =
      earlier !== undefined && earlier.rip === rip && !earlier.isStale ? earlier : this.blockAt(rip);
    previous.earlier = recent;
    previous.recent = block;
    return block;
  }

  private blockAt(rip: number): JsBlock {
    return this.byRip.get(rip) ?? this.translate(rip, Number.POSITIVE_INFINITY);
  }

  private single(rip: number): JsBlock {
    return this.singles.get(rip) ?? this.translate(rip, SINGLE);
  }

  private translate(rip: number, limit: number): JsBlock {
    if (rip >= CANONICAL_LIMIT || rip < -CANONICAL_LIMIT) throw new GuestException(Vector.GP, 0);
    if (this.byRip.size + this.singles.size >= BLOCK_LIMIT) this.flush();
    const translated = this.translator.translate(rip, limit, (at) => this.stops.has(at));
    const block = this.compile(translated, limit === SINGLE);
    (block.isSingle ? this.singles : this.byRip).set(rip, block);
    this.index.insert(block);
    for (const [start, length] of physicalRanges(block)) this.cpu.mmu.markCode(start, length);
    this.statistics.blocks++;
    this.statistics.blockInstructions += block.rips.length;
    return block;
  }

  private compile(translated: TranslatedBlock, isSingle: boolean): JsBlock {
    const { rip, end, physical, secondPage } = translated;
    const bytes = new Uint8Array(end - rip);
    this.cpu.mmu.read(rip, bytes);
    const version = (this.versions.get(rip) ?? 0) + 1;
    this.versions.set(rip, version);
    const code = generateBlock(
      {
        ...translated,
        version,
        sourceMap: this.options.sourceMaps === true,
        stops: this.stops.has(rip),
        describe: (at) => this.describe(bytes.subarray(at - rip), at, translated),
      },
      this.runtimeNames,
    );
    this.options.observer?.onCode({
      language: "javascript",
      content: code.text,
      regions: [{ rip, blocks: [{ rip, end }] }],
    });
    const state = { isStale: false };
    const factory = this.options.evaluate(code.text) as BlockFactory;
    const block: JsBlock = Object.assign(state, {
      rip,
      end,
      physical,
      secondPage,
      rips: code.rips,
      isSingle,
      recent: undefined,
      earlier: undefined,
      run: factory(this.runtime, state, this.helpers),
    });
    return block;
  }

  /** Address, bytes and text of one instruction. */
  private describe(from: Uint8Array, rip: number, { instructions }: TranslatedBlock): string {
    const spans = instructions.flatMap((instruction) => [instruction, instruction.second ?? instruction]);
    const next = spans.find((span) => span.rip === rip)?.next ?? rip + from.length;
    const code = from.subarray(0, next - rip);
    const bytes = Array.from(code, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = this.options.disassemble?.(code, rip) ?? "";
    return `${address(rip).replace("0x", "").padStart(8)}:  ${bytes.padEnd(29)}  ${text}`.trimEnd();
  }

  // ---- how blocks leave ----

  private interrupt(rip: number, completed: number, exit: Exit | 0): number {
    const { interruption } = this;
    interruption.rip = rip;
    interruption.completed = completed;
    interruption.exit = exit;
    return Number.NaN;
  }

  /** How many instructions of the block stand before an address: all of them if it is behind its end. */
  private completedBefore(rip: number): number {
    const rips = this.current?.rips ?? [];
    const index = rips.indexOf(rip);
    return index < 0 ? rips.length : index;
  }

  private fault(error: unknown, rip: number): number {
    this.raise(error, rip);
    return this.interrupt(rip, this.completedBefore(rip), Exit.Exception);
  }

  /** Notes an architectural exception in the state; anything else is a bug and goes on up. */
  private raise(error: unknown, rip: number): void {
    if (error instanceof NonCanonicalAccess) {
      const vector = nonCanonicalVector(this.decoding.instructionAt(rip), error.access);
      this.raise(new GuestException(vector, 0), rip);
      return;
    }
    noteException(this.cpu, error);
  }

  // ---- invalidation ----

  invalidatePhysical(start: number, length: number): void {
    this.index.invalidatePhysical(start, length, this.forget, this.cpu.mmu.codePages);
  }

  invalidateVirtual(start: number, length: number): void {
    this.index.invalidateVirtual(start, length, this.forget);
  }

  private flush(): void {
    this.statistics.flushes++;
    for (const map of [this.byRip, this.singles]) for (const block of map.values()) this.forget(block);
    this.cpu.mmu.codePages.clear();
  }

  private readonly forget = (block: JsBlock): void => {
    this.statistics.invalidations++;
    block.isStale = true;
    this.index.withdraw(block);
    const map = block.isSingle ? this.singles : this.byRip;
    if (map.get(block.rip) === block) map.delete(block.rip);
  };
}

/** Helpers as generated code calls them: without arguments, each looked up when it is first wanted. */
function boundHelpers(cpu: Cpu): Readonly<Record<string, () => void>> {
  return new Proxy<Record<string, () => void>>(
    {},
    {
      get(known, name: string) {
        const helper = helperNamed(name);
        if (helper === undefined) throw new Error(`there is no helper ${name}`);
        known[name] ??= () => helper(cpu);
        return known[name];
      },
    },
  );
}
