/** Decodes guest code into blocks and builds their IR: what {@link import("./block-code.ts")} makes JavaScript of. */

import { type Mmu, PageFault } from "../../../mmu/mmu.ts";
import { PAGE_SIZE } from "../../../mmu/translator.ts";
import { createInstruction, DecodeResult, Decoder } from "../../decoder/decoder.ts";
import "../../definitions/index.ts";
import { definitionOf } from "../../definitions/registry.ts";
import { Builder } from "../../ir/builder.ts";
import type { ConditionCode } from "../../ir/flags.ts";
import type { Instructions } from "../../ir/value.ts";
import { Vector } from "../../state.ts";
import { buildInto } from "../interp/form-code.ts";
import type { DecodedForm, TraceTranslator } from "../interp/trace.ts";
import { countUses } from "../wasm-lowering.ts";
import type { BlockInstruction } from "./block-code.ts";

/** Longest block in instructions. */
const BLOCK_LIMIT = 32;
/** Records of the record area are free for decoding: no interpreter uses them. */
const SCRATCH_RECORD = 0;
const LONGEST_INSTRUCTION = 15;

/**
 * Instructions after which a conditional jump is lowered together with them, so that it can compare operands instead of
 * flags. They write flags on every path.
 */
const JOINED_FIRST: ReadonlySet<string> = new Set("add sub and or xor cmp test inc dec neg".split(" "));

export interface TranslatedBlock {
  readonly rip: number;
  readonly end: number;
  readonly physical: number;
  readonly secondPage: number;
  readonly instructions: readonly BlockInstruction[];
}

export class BlockTranslator {
  private readonly built = new Map<number, Instructions | undefined>();
  private readonly decoder = new Decoder();
  private readonly scratch = createInstruction();
  private readonly emptyRecord = new DataView(new ArrayBuffer(32));

  constructor(
    private readonly mmu: Mmu,
    private readonly decoding: TraceTranslator,
  ) {}

  /**
   * Translates from an address on.
   * @param limit how many instructions at most
   * @param isBoundary answers whether a block must begin at an address
   * @throws PageFault if the first instruction cannot be fetched
   */
  translate(rip: number, limit: number, isBoundary: (rip: number) => boolean): TranslatedBlock {
    const physical = this.mmu.fetchAddress(rip);
    const pageEnd = rip - (physical % PAGE_SIZE) + PAGE_SIZE;
    const instructions: BlockInstruction[] = [];
    let at = rip;
    let count = 0;
    while (count < Math.min(limit, BLOCK_LIMIT) && at < pageEnd && (at === rip || !isBoundary(at))) {
      const decoded = this.decode(at, at === rip);
      if (decoded === undefined) {
        if (at !== rip) break;
        instructions.push(this.undecodable(at));
        at++;
        break;
      }
      const instruction = this.instruction(at, decoded);
      const next = at + decoded.length;
      const jump =
        count + 2 <= limit &&
        next < pageEnd &&
        !isBoundary(next) &&
        JOINED_FIRST.has(decoded.form.row.mnemonic)
          ? this.decode(next, false)
          : undefined;
      if (jump !== undefined && jump.condition >= 0) {
        instructions.push(this.joined(instruction, decoded, jump));
        at = next + jump.length;
        break;
      }
      instructions.push(instruction);
      count++;
      at = next;
      if (instruction.instructions.transfers) break;
    }
    const secondPage = at > pageEnd ? this.mmu.fetchAddress(pageEnd) : -1;
    return { rip, end: at, physical, secondPage, instructions };
  }

  /** @returns undefined if there is no instruction, or, unless it is the first of its block, it cannot be fetched */
  private decode(rip: number, isFirst: boolean): DecodedForm | undefined {
    try {
      const decoded = this.decoding.formAt(rip, SCRATCH_RECORD);
      return decoded !== undefined && this.instructionsOf(decoded) !== undefined ? decoded : undefined;
    } catch (error) {
      if (isFirst || !(error instanceof PageFault)) throw error;
      return undefined;
    }
  }

  private instruction(rip: number, decoded: DecodedForm): BlockInstruction {
    const instructions = this.instructionsOf(decoded);
    if (instructions === undefined) throw new Error(`${decoded.form.row.mnemonic} has no definition`);
    const { record, target, length } = decoded;
    return { rip, next: rip + length, target, record, instructions, second: undefined };
  }

  private instructionsOf({ form, key }: DecodedForm): Instructions | undefined {
    if (this.built.has(key)) return this.built.get(key);
    const definition = definitionOf(form.row.mnemonic);
    let instructions: Instructions | undefined;
    if (definition !== undefined) {
      const b = new Builder({ locked: form.prefix === "locked" });
      buildInto(b, form, definition);
      instructions = finish(b);
    }
    this.built.set(key, instructions);
    return instructions;
  }

  private joined(first: BlockInstruction, { form }: DecodedForm, jump: DecodedForm): BlockInstruction {
    const definition = definitionOf(form.row.mnemonic);
    if (definition === undefined) throw new Error(`${form.row.mnemonic} has no definition`);
    const b = new Builder({ locked: form.prefix === "locked" });
    buildInto(b, form, definition);
    b.secondInstruction("immediate");
    b.branch(b.flags.condition(jump.condition as ConditionCode));
    const second = { rip: first.next, next: first.next + jump.length, target: jump.target };
    return { ...first, instructions: finish(b), second };
  }

  /** #UD, or #GP for what is longer than an instruction can be. */
  private undecodable(rip: number): BlockInstruction {
    const bytes = new Uint8Array(LONGEST_INSTRUCTION + 1);
    const physical = this.mmu.fetchAddress(rip);
    const inPage = Math.min(bytes.length, PAGE_SIZE - (physical % PAGE_SIZE));
    this.mmu.read(rip, bytes.subarray(0, inPage));
    try {
      this.mmu.read(rip + inPage, bytes.subarray(inPage));
    } catch (error) {
      if (!(error instanceof PageFault)) throw error;
    }
    const result = this.decoder.decode(bytes, 0, bytes.length, this.scratch);
    const b = new Builder();
    b.exception(result === DecodeResult.TooLong ? Vector.GP : Vector.UD);
    const instructions = finish(b);
    return {
      rip,
      next: rip + 1,
      target: undefined,
      record: this.emptyRecord,
      instructions,
      second: undefined,
    };
  }
}

function finish(b: Builder): Instructions {
  const instructions = b.finish();
  countUses(instructions.body);
  return instructions;
}
