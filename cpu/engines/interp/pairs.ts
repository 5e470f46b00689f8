/**
 * Pairs: two instructions in one record, one handler. Dispatch is most of what a simple instruction costs, so the pairs
 * that real programs execute most get handlers of their own, generated from the two definitions.
 */

import type { Definition } from "../../definitions/registry.ts";
import { Builder } from "../../ir/builder.ts";
import { contains } from "../../ir/contains.ts";
import type { ConditionCode } from "../../ir/flags.ts";
import type { Block, Instructions, RecordSlot } from "../../ir/value.ts";
import { buildInto } from "./form-code.ts";
import { type Form, SLOTS } from "./forms.ts";
import { FREQUENT_PAIRS } from "./frequent-pairs.ts";
import { PairBit } from "./handler-table.ts";

/** A handler that may become half of a pair. */
export interface Candidate {
  readonly name: string;
  readonly handler: number;
  readonly form: Form;
  readonly definition: Definition;
  readonly instructions: Instructions;
  /** A comparison with a conditional jump behind it. */
  readonly condition?: ConditionCode;
}

export interface Pair {
  readonly first: Candidate;
  readonly second: Candidate;
  readonly instructions: Instructions;
  /** {@link PairBit}s. */
  readonly bits: number;
}

/** Register slots of the second instruction (record.ts). */
const PLAIN_SLOTS: readonly RecordSlot[] = [3, 4];
const MEMORY_SLOTS: readonly RecordSlot[] = [5, 6];

type PairNames = Iterable<readonly [first: string, seconds: readonly string[]]>;

/** In 32-bit code the pairs of 64-bit code are frequent too, with operands of 32 bits. */
export function legacyPairNames(): PairNames {
  const rename = (name: string) =>
    name.replace(/\.(16|64)\./, ".32.").replace(/\.(base|indexed)(?=[.+]|$)/, ".legacy32");
  const pairs = new Map<string, Set<string>>();
  for (const [first, seconds] of FREQUENT_PAIRS) {
    const known = pairs.get(rename(first)) ?? new Set<string>();
    for (const second of seconds) known.add(rename(second));
    pairs.set(rename(first), known);
  }
  return [...pairs].map(([first, seconds]) => [first, [...seconds]] as const);
}

/** Generates the handlers of all frequent pairs that a record has room for. */
export function findPairs(candidates: readonly Candidate[], names: PairNames = FREQUENT_PAIRS): Pair[] {
  const byName = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const same = byName.get(candidate.name);
    if (same === undefined) byName.set(candidate.name, [candidate]);
    else if (!same.some(({ handler }) => handler === candidate.handler)) same.push(candidate);
  }
  const pairs: Pair[] = [];
  for (const [firstName, secondNames] of names) {
    for (const first of byName.get(firstName) ?? []) {
      if (!canBeFirst(first)) continue;
      for (const secondName of secondNames) {
        for (const second of byName.get(secondName) ?? []) {
          const pair = join(first, second);
          if (pair !== undefined) pairs.push(pair);
        }
      }
    }
  }
  return pairs;
}

/** The first must not transfer control, nor write memory: the second could be what it writes. */
function canBeFirst({ form, instructions, condition }: Candidate): boolean {
  return (
    condition === undefined &&
    !instructions.transfers &&
    hasRoom(form) &&
    !contains(instructions.body, (statement) =>
      ["store", "commit", "probe", "helper", "again"].includes(statement.do),
    )
  );
}

/** Two registers at most, and a memory operand of the simple forms. */
function hasRoom(form: Form): boolean {
  const { operands } = form.row;
  return (
    form.prefix === "none" &&
    ["register", "base", "indexed", "legacy32"].includes(form.rm) &&
    operands.length <= 3 &&
    operands.slice(2).every(({ source }) => source === "imm") &&
    operands.every(({ source }) => source !== "moffs" && source !== "imm2")
  );
}

function join(first: Candidate, second: Candidate): Pair | undefined {
  if (!hasRoom(second.form) || contains(second.instructions.body, ({ do: kind }) => kind === "again"))
    return undefined;
  const firstMemory = first.form.rm !== "register";
  const secondMemory = second.form.rm !== "register";
  if (firstMemory && secondMemory) return undefined;
  const memory = firstMemory || secondMemory;
  const registers = second.form.row.operands.some((spec) => isRegister(spec.source) || spec.class === "gpr");
  const links =
    second.condition !== undefined || second.form.row.operands.some(({ source }) => source === "rel");
  const immediate = hasImmediate(second.form);
  // A branch keeps its link where the second instruction's registers would stand.
  if (memory && links && (registers || immediate)) return undefined;
  const nextRip = !immediate && usesImmediateField(second.instructions.body);
  if (nextRip && hasImmediate(first.form)) return undefined;

  const b = new Builder({ flagsDead: first.form.flagsDead });
  buildInto(b, first.form, first.definition, SLOTS.slice(0, 2));
  const field = nextRip ? "immediate" : memory ? "immediateInLink" : "immediateInDisplacement";
  b.secondInstruction(field, { flagsDead: second.form.flagsDead });
  buildInto(b, second.form, second.definition, memory ? MEMORY_SLOTS : PLAIN_SLOTS);
  if (second.condition !== undefined) b.branch(b.flags.condition(second.condition));
  const bits =
    (memory ? PairBit.Memory : 0) |
    (immediate ? PairBit.Immediate : 0) |
    (nextRip ? PairBit.NextRip : 0) |
    (secondMemory ? PairBit.SecondMemory : 0) |
    (second.instructions.transfers ? PairBit.Transfers : 0) |
    (registers ? PairBit.Registers : 0);
  return { first, second, instructions: b.finish(), bits };
}

function isRegister(source: string): boolean {
  return source === "rm" || source === "reg" || source === "opcode" || source === "vvvv";
}

function hasImmediate(form: Form): boolean {
  return form.row.operands.some((spec) => spec.source === "imm" || spec.class === "immediate");
}

/** Does a value refer to the record's immediate? */
function usesImmediateField(block: Block): boolean {
  return contains(
    block,
    (statement) =>
      statement.do === "value" && statement.value.op === "encoded" && statement.value.field === "immediate",
  );
}
